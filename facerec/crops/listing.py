"""List the photos in a folder; every job lists them by the same rules."""

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from facerec.crops.photo import FORMATS, is_photo
from facerec.errors import ConfigError
from facerec.runtime.clutter import in_clutter

log = logging.getLogger(__name__)


def list_photos(root: Path) -> list[Path]:
    """The photo itself, or all photos in a folder and the folders below, sorted (see `pick_photos`).

    Raises:
        ConfigError: there is no such file or folder, or no photo in it.
    """
    if root.is_file():
        return [root]
    photos = pick_photos(root.rglob("*"), root)
    if not photos:
        raise ConfigError(f"photos: there are no photos at {root} ({FORMATS})")
    return photos


def pick_photos(files: Iterable[Path], root: Path) -> list[Path]:
    """The photos among `files`, which lie below `root`, sorted.

    A file is a photo by its name or its content. Others, hidden files and what other software leaves behind are
    passed over; one line in the log counts them.
    """
    photos, others, clutter = [], Counter[str](), 0
    for file in files:
        if not file.is_file():
            continue
        if in_clutter(file.relative_to(root)):
            clutter += 1
        elif is_photo(file):
            photos.append(file)
        else:
            suffix = file.suffix.lower()
            others[suffix if suffix.isascii() and suffix[1:].isalnum() else "other"] += 1
    if others or clutter:
        kinds = ", ".join(f"{kind} {count}" for kind, count in others.most_common(5))
        log.info(
            "%s: passed over %d files that are not photos%s and %d that are hidden or left by other software",
            str(root).encode(errors="replace").decode(),
            others.total(),
            f" ({kinds})" if others else "",
            clutter,
        )
    return sorted(photos)
