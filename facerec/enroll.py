"""Enrol people from photos: `python -m facerec.enroll photos=ALBUM model=MODEL`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError, GalleryError, RefusedError, TakenError
from facerec.job import going_on, run_job

if TYPE_CHECKING:
    from facerec.gallery import Gallery, Sample
    from facerec.recognition import Ledger

log = logging.getLogger(__name__)


def enroll(cfg: DictConfig) -> None:
    """Enrol the largest face of each photo, one transaction for each; then list what was enrolled and refused.

    Raises:
        RefusedError: a photo was refused; the others are enrolled.
        GalleryError: nobody was enrolled, or the gallery fails.
    """
    from tqdm import tqdm

    from facerec.crops import list_photos
    from facerec.gallery import Gallery
    from facerec.models import open_model
    from facerec.recognition import Gates, Ledger, embed_files, review, weakness

    if cfg.review not in ("largest", "strict"):
        raise ConfigError(f"review: must be largest or strict, not {cfg.review}")
    root, gates = Path(cfg.photos).expanduser(), Gates(**cfg.strict)
    model = open_model(cfg.model, cfg.device, cfg.cache_dir, offline=cfg.offline, accept_licence=cfg.accept_licence)
    ledger = Ledger(root, list_photos(root), cfg.person)
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
        photos = embed_files(list(ledger.names), instantiate(cfg.detector), model.embed, **cfg.faces)
        size = None
        try:
            for photo in tqdm(photos, total=len(ledger.names), desc="enrolling", unit="photo"):
                strict = gates if cfg.review == "strict" else None
                sample = review(photo, photo.file.name, strict=strict, keep=cfg.keep_crops)
                if isinstance(sample, str):
                    ledger.refuse(photo.file, sample)
                elif _enroll(gallery, ledger, photo.file, sample, cfg) and (weak := weakness(photo, gates)):
                    ledger.warn(photo.file, f"is weak: {weak}")
            size = gallery.size()
        finally:  # also when it is interrupted, or the disk is full
            ledger.show(gallery.place, size)
    if not ledger.enrolled:
        raise GalleryError("nobody was enrolled; the reasons are above")
    if ledger.refused:
        raise RefusedError(f"{ledger.refused} of {ledger.photos} photos were refused; the reasons are above")


def _enroll(gallery: "Gallery", ledger: "Ledger", file: Path, sample: "Sample", cfg: DictConfig) -> bool:
    """Enrol a sample unless it is refused; returns whether it was enrolled."""
    name, doubt = ledger.names[file], None
    if cfg.threshold is not None or gallery.has_thresholds:
        rule = {"far": cfg.far, "per": cfg.per, "threshold": cfg.threshold}
        [doubt] = gallery.check_enrolment(name, sample.vector[None], **rule)
    unlike = doubt and doubt.unlike is not None and f"does not look like the {name} you have ({doubt.unlike:.2f})"
    if unlike and cfg.review == "strict":
        ledger.refuse(file, unlike)
        return False
    try:
        ledger.enroll(file, gallery.enroll(name, [sample]))
    except TakenError as error:
        ledger.refuse(file, str(error))
        return False
    if unlike:
        ledger.warn(file, unlike)
    if doubt and doubt.looks_like:
        ledger.warn(file, f"looks like {doubt.looks_like.name} ({doubt.looks_like.similarity:.2f})")
    return True


if __name__ == "__main__":
    run_job("enroll", enroll)
