"""Remember which faces are in which photos: `python -m facerec.index photos=FOLDER model=MODEL`."""

import hashlib
import logging
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError
from facerec.job import going_on, run_job

if TYPE_CHECKING:
    from facerec.gallery import Gallery
    from facerec.gallery.index_records import FileState, IndexedPhoto
    from facerec.models import Model
    from facerec.recognition import PhotoFaces

log = logging.getLogger(__name__)

_LOOK_AGAIN = 600  # seconds, although nothing was heard: network drives don't tell of changes, and faces expire


def index(cfg: DictConfig) -> None:
    """Index the photos that are new or changed, forget those that are gone; then list those that can't be read."""
    from facerec.gallery import Gallery
    from facerec.models import open_model

    root = cfg.photos and Path(cfg.photos).expanduser().resolve()
    if cfg.forget:
        with Gallery.open(cfg.gallery.url, make=False) as gallery:
            print(f"{gallery.index.forget(root)} photos are forgotten, and wiped from the gallery's files")
        return
    if not root:
        raise ConfigError("photos: must be given, as in photos=~/Photos")
    retention = _duration(cfg.retention)
    model = open_model(cfg.model, cfg.device, cfg.cache_dir, offline=cfg.offline, accept_licence=cfg.accept_licence)
    with Gallery.open(cfg.gallery.url, model) as gallery:
        expiry = f"for {cfg.retention} while nobody enrolled answers for it" if retention else "for good"
        print(
            f"{gallery.place} keeps the path, size and time of each photo, and of each face, known or not, a "
            f"vector, its box and the hash of its crop, {expiry}. Whoever has them can recognise these people. "
            "`facerec index forget=true` wipes all of it."
        )
        for number, _ in enumerate(_occasions(root, cfg.gallery.url) if cfg.watch else [None]):
            try:
                _look(gallery, root, retention, model, cfg)
            except ConfigError as error:  # the last photo is gone, or the disk
                if not number:
                    raise
                log.warning("%s; nothing is forgotten", error)


def _look(gallery: "Gallery", root: Path, retention: timedelta | None, model: "Model", cfg: DictConfig) -> None:
    from tqdm import tqdm

    from facerec.gallery.names import printable
    from facerec.recognition import embed_files

    rule = {"far": cfg.far, "threshold": cfg.threshold}
    files = _states(root)
    to_read, forgotten = gallery.index.prepare(root, files, retention=retention, **rule)
    expired = gallery.index.expire(per=cfg.per, **rule)
    done, batch = 0, []
    with going_on(lambda: f"{done} of {len(to_read)} photos were indexed; the same command goes on with the rest"):
        photos = embed_files(to_read, instantiate(cfg.detector), model.embed, **cfg.faces) if to_read else iter(())
        for photo in tqdm(photos, "indexing", len(to_read), unit="photo", disable=not to_read):
            batch.append(_indexed(photo, files[photo.file]))
            if len(batch) == cfg.faces.batch_size or done + len(batch) == len(to_read):
                gallery.index.store(batch, retention=retention)
                done, batch = done + len(batch), []
    gallery.index.wipe()
    problems, size = gallery.index.problems(root), gallery.index.size()
    for file, problem in problems if to_read or not cfg.watch else []:
        print(f"can't be read: {printable(file)}: {problem}")
    print(
        f"{done} photos read, {len(problems)} can't be; {forgotten} forgotten, {expired} faces expired; "
        f"now {size.photos} photos with {size.faces} faces",
        flush=True,
    )


def _occasions(root: Path, gallery: str) -> Iterator[None]:
    """Now, whenever something changed at or below `root`, and every ten minutes."""
    from watchfiles import Change, watch

    def counts(_: Change, path: str) -> bool:
        return not path.startswith(server)

    server = str(Path(gallery).resolve())  # its files change with every look
    last = -float("inf")
    # the first comes after a second of silence, so nothing can change unheard between the first look and the second
    for changes in watch(root, watch_filter=counts, rust_timeout=1000, yield_on_timeout=True):
        if changes or time.monotonic() - last > _LOOK_AGAIN:
            last = time.monotonic()
            yield


def _states(root: Path) -> "dict[Path, FileState]":
    from facerec.crops import list_photos
    from facerec.gallery.index_records import FileState

    states = {}
    for file in list_photos(root):
        try:
            states[file] = FileState.of(file)
        except OSError:  # deleted since it was listed
            continue
    return states


def _indexed(photo: "PhotoFaces", state: "FileState") -> "IndexedPhoto":
    from facerec.gallery import Sample
    from facerec.gallery.index_records import IndexedPhoto

    height, width = photo.photo.shape[:2]
    faces = [
        Sample(vector, "", hashlib.sha256(crop.tobytes()).digest(), tuple(face.box.tolist()), face.score)
        for face, crop, vector in zip(photo.faces, photo.crops, photo.vectors, strict=True)
    ]
    return IndexedPhoto(photo.file, state, width, height, faces, photo.problem)


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    duration = re.fullmatch(r"(\d{1,6})([dh])", str(text))
    if not duration:
        raise ConfigError(f"retention: must be days or hours, such as 30d or 12h, or null, not {text}")
    return timedelta(**{{"d": "days", "h": "hours"}[duration[2]]: int(duration[1])})


if __name__ == "__main__":
    run_job("index", index)
