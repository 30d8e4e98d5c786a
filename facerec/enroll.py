"""Enrol people from photos: `python -m facerec.enroll photos=ALBUM model=MODEL`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import AmbiguousNameError, ConfigError, GalleryError, RefusedError, TakenError
from facerec.job import going_on, run_job

if TYPE_CHECKING:
    from facerec.gallery import Gallery, Sample
    from facerec.recognition import Ledger

log = logging.getLogger(__name__)


def enroll(cfg: DictConfig) -> None:
    """Enrol the largest face of each photo, or its named regions; then list what was enrolled and refused.

    Each sample is a transaction.

    Raises:
        RefusedError: a photo or a region was refused; the others are enrolled.
        GalleryError: nobody was enrolled, or the gallery fails.
    """
    from tqdm import tqdm

    from facerec.gallery import Gallery
    from facerec.models import open_model
    from facerec.recognition import Gates, Ledger, embed_files, names_in_photos, review_people

    if cfg.review not in ("largest", "strict"):
        raise ConfigError(f"review: must be largest or strict, not {cfg.review}")
    if cfg.new and cfg.person is None:
        raise ConfigError("new: makes the person of person=NAME; give that too")
    if cfg.refused and cfg.people == "xmp":
        raise ConfigError("refused: people=xmp has its names in the photos; correct them there, and run it again")
    root, gates = Path(cfg.photos).expanduser(), Gates(**cfg.strict)
    refused = Path(cfg.refused).expanduser() if cfg.refused else None
    if refused and not refused.parent.is_dir():
        raise ConfigError(f"refused: there is no folder {refused.parent}")
    model = open_model(cfg.model, cfg.device, cfg.cache_dir, offline=cfg.offline, accept_licence=cfg.accept_licence)
    ledger = Ledger()
    wanted = names_in_photos(root, ledger, people=cfg.people, person=cfg.person)
    how = {"strict": cfg.review == "strict", "keep": cfg.keep_crops}
    with (
        going_on(ledger.how_to_go_on),
        Gallery.open(cfg.gallery.url, model, read_url=cfg.gallery.read_url) as gallery,
    ):
        if cfg.threshold is None and not gallery.has_thresholds:
            log.warning(
                "%s has no thresholds, so new samples are not compared with those enrolled; run `python -m "
                "facerec.evaluate` on it, or give threshold=",
                model.path,
            )
        photos = embed_files(list(wanted), instantiate(cfg.detector), model.embed, **cfg.faces)
        size, left = None, dict(wanted)
        try:
            for photo in tqdm(photos, total=len(wanted), desc="enrolling", unit="photo"):
                for name, sample, weak in review_people(photo, wanted[photo.file], gates, **how):
                    if isinstance(sample, str):
                        ledger.refuse(photo.file, sample, name)
                    elif _enroll(gallery, ledger, photo.file, name, sample, cfg) and weak:
                        ledger.warn(photo.file, name, f"is weak: {weak}")
                del left[photo.file]
            size = gallery.size()
        finally:  # also when it is interrupted, or the disk is full
            ledger.show(gallery.place, size)
            if refused:
                ledger.save(refused, {file: [name for name, _ in people] for file, people in left.items()})
    if not ledger.enrolled:
        raise GalleryError("nobody was enrolled; the reasons are above")
    if ledger.refused:
        raise RefusedError(f"{ledger.refused} of {ledger.total} {ledger.unit} were refused; the reasons are above")


def _enroll(gallery: "Gallery", ledger: "Ledger", file: Path, name: str, sample: "Sample", cfg: DictConfig) -> bool:
    """Enrol a sample unless it is refused; returns whether it was enrolled."""
    doubt = None
    who = ledger.ids.get(name, name)
    new = cfg.new and name not in ledger.ids
    if not new and (cfg.threshold is not None or gallery.has_thresholds):
        rule = {"far": cfg.far, "per": cfg.per, "threshold": cfg.threshold}
        try:
            [doubt] = gallery.check_enrolment(who, sample.vector[None], **rule)
        except AmbiguousNameError as error:
            cure = f"person=ID adds to one of them, person={name!r} new=true makes another"
            if cfg.people == "table":
                cure = "put the id of one of them into the table"
            ledger.refuse(file, f"{error}; {cure}", name)
            return False
    unlike = doubt and doubt.unlike is not None and f"does not look like the {name} you have ({doubt.unlike:.2f})"
    if unlike and cfg.review == "strict":
        ledger.refuse(file, unlike, name)
        return False
    try:
        enrolled = gallery.enroll(who, [sample], new=new)
    except (TakenError, AmbiguousNameError) as error:
        ledger.refuse(file, str(error), name)
        return False
    ledger.enroll(name, enrolled)
    for similar in enrolled.similar_names:
        merging = "`facerec gallery merge` makes them one"
        ledger.warn(file, name, f"is of a new person, though there is {similar}; {merging}")
    if unlike:
        ledger.warn(file, name, unlike)
    if doubt and doubt.looks_like:
        ledger.warn(file, name, f"looks like {doubt.looks_like.name} ({doubt.looks_like.similarity:.2f})")
    return True


if __name__ == "__main__":
    run_job("enroll", enroll)
