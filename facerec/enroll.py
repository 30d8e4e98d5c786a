"""Enrol people from photos: `python -m facerec.enroll photos=ALBUM model=MODEL`."""

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError, GalleryError, TakenError
from facerec.job import going_on, run_job

if TYPE_CHECKING:
    from facerec.gallery import Gallery, Sample

log = logging.getLogger(__name__)


def enroll(cfg: DictConfig) -> None:
    """Enrol the largest face of each photo, a transaction a photo; then say who was enrolled and what was not."""
    from tqdm import tqdm

    from facerec.gallery import Gallery
    from facerec.gallery.look import list_files, load_embed, look
    from facerec.gallery.review import review

    if cfg.review not in ("largest", "strict"):
        raise ConfigError(f"review: must be largest or strict, not {cfg.review}")
    root, folder = Path(cfg.photos).expanduser(), Path(cfg.model)
    files = list_files(root)
    names = [_name(file, root, cfg.person) for file in files]
    enrolled: Counter[str] = Counter()
    refused: list[tuple[Path, str]] = []

    def _how_to_go_on() -> str:
        return (
            f"{enrolled.total()} new samples of {len(enrolled)} persons, of {len(files)} photos, are in the "
            "gallery; the same command goes on with the rest"
        )

    with going_on(_how_to_go_on), Gallery.open(cfg.gallery.url, folder, read_url=cfg.gallery.read_url) as gallery:
        measured = cfg.threshold is not None or gallery.space.statistics.get("thresholds")
        if not measured:
            log.warning(
                "%s has no thresholds, so new samples are not compared with other persons; run `python -m "
                "facerec.evaluate` on it, or give threshold=",
                folder,
            )
        seen = look(
            files, instantiate(cfg.finder), load_embed(folder, cfg.device, Path(cfg.cache_dir)), **cfg.faces
        )
        for name, one in tqdm(zip(names, seen, strict=True), total=len(files), desc="enrolling", unit="photo"):
            sample = review(one, one.file.name, strict=cfg.review == "strict", keep=cfg.keep_crops, **cfg.strict)
            if isinstance(sample, str):
                refused.append((one.file, sample))
                continue
            try:
                if measured:
                    _warn_of_others(gallery, name, sample, cfg)
                enrolled[name] += gallery.enroll(name, [sample]).new
            except TakenError as error:
                refused.append((one.file, str(error)))
        _summarise(enrolled, refused, len(files), gallery)
    if not enrolled:
        raise GalleryError("nobody was enrolled; the reasons stand above")


def _name(file: Path, root: Path, person: str | None) -> str:
    """The person given, or else the folder that the photo is in."""
    if person is not None:
        return person
    parts = file.relative_to(root).parts if root.is_dir() else ()
    if len(parts) < 2:
        raise ConfigError(
            f'person: whose photo is {file}? Give person="NAME", or photos=ALBUM with ALBUM/NAME/*.jpg'
        )
    return parts[0]


def _warn_of_others(gallery: "Gallery", name: str, sample: "Sample", cfg: DictConfig) -> None:
    [answer] = gallery.identify(sample.vector[None], top=2, far=cfg.far, per=cfg.per, threshold=cfg.threshold)
    for match in answer.matches:
        if match.accepted and match.name != name:
            log.warning("%s of %s looks like %s (%.2f)", sample.source, name, match.name, match.similarity)


def _summarise(enrolled: Counter[str], refused: list[tuple[Path, str]], photos: int, gallery: "Gallery") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("person", "new samples", title=f"Enrolled in {gallery.place}", title_justify="left")
    for name, count in sorted(enrolled.items()):
        table.add_row(name, str(count))
    console = Console(width=110)
    console.print(table)
    size = gallery.size()
    console.print(f"{photos} photos, {len(refused)} refused; {size.persons} persons, {size.samples} samples now")
    for file, reason in refused:
        console.print(f"refused {file}: {reason}", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    run_job("enroll", enroll)
