"""Which files are photos? One answer for every folder that is given."""

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from facerec.crops.photo import is_photo
from facerec.runtime.clutter import in_clutter

log = logging.getLogger(__name__)


def pick_photos(files: Iterable[Path], root: Path) -> list[Path]:
    """The photos among what was found below `root`, sorted; one line in the log counts what is passed over.

    That is what is no picture, by name and by content, and what is hidden or left by other software.
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
            "%s: passed over %d files that are no pictures%s and %d that are hidden or left by other software",
            str(root).encode(errors="replace").decode(),
            others.total(),
            f" ({kinds})" if others else "",
            clutter,
        )
    return sorted(photos)
