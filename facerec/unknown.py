"""Group the faces of people who are not enrolled, and name a group: `python -m facerec.unknown model=MODEL`."""

from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError
from facerec.job import run_job

if TYPE_CHECKING:
    from facerec.gallery import Gallery
    from facerec.gallery.index_records import FaceGroup


def unknown(cfg: DictConfig) -> None:
    """Print the groups, the largest first; or enrol the faces of one."""
    from facerec.gallery import Gallery
    from facerec.gallery.actions import count
    from facerec.models import open_model

    if (cfg.group is None) != (cfg.name is None and not cfg.ignore):
        raise ConfigError("group: must be given with name or ignore, as in `group=3fa9 name=Bea`")
    model = open_model(cfg.model, cfg.device, cfg.cache_dir, offline=cfg.offline, accept_licence=cfg.accept_licence)
    rule = {"far": cfg.far, "per": cfg.per, "threshold": cfg.threshold, "group_far": cfg.group_far}
    with Gallery.open(cfg.gallery.url, model, make=False) as gallery:
        if cfg.group is None:
            _list(gallery, rule, cfg.least, cfg.examples)
        else:
            name = str(cfg.name or f"ignored {cfg.group}")
            group = gallery.index.group(str(cfg.group), **rule)
            kept = _crops(group, cfg) if cfg.keep_crops else {}
            enrolled = gallery.enroll(name, group.samples(kept))
            person = enrolled.person
            now = f"{person.name}, who now has {count(person.samples, 'sample')}"
            print(f"enrolled {count(enrolled.new, 'face')} as {now}")
            if cfg.keep_crops and (lost := len({face.crop for face in group.faces} - kept.keys())):
                why = "the photo is gone or was changed, or another detector indexed it"
                print(f"{count(lost, 'face')} without a kept crop: {why}")
            if cfg.ignore:
                gallery.corrections.ignore(person.id)
                print("who is ignored from now on; `facerec gallery unignore` ends that")


def _crops(group: "FaceGroup", cfg: DictConfig) -> dict[bytes, bytes]:
    from facerec.recognition import crop_again

    digests = {face.crop for face in group.faces}
    return crop_again(group.photos, digests, instantiate(cfg.detector), **cfg.faces)


def _list(gallery: "Gallery", rule: dict[str, Any], least: int, examples: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from facerec.gallery.names import printable

    groups = gallery.index.groups(**rule, least=least)
    table = Table("group", "faces", "photos", "the most typical", title_justify="left")
    table.title = Text(f"Unknown faces in {gallery.place}")
    table.columns[3].overflow = "fold"
    for group in groups:
        typical = "\n".join(printable(photo) for photo in group.photos[:examples])
        table.add_row(group.id[:8], str(len(group.faces)), str(len(group.photos)), Text(typical))
    console = Console(width=110)
    console.print(table)
    size = gallery.index.size()
    line = f"{len(groups)} groups of {least} faces or more; {size.faces} faces in {size.photos} photos are indexed"
    console.print(line, highlight=False)


if __name__ == "__main__":
    run_job("unknown", unknown)
