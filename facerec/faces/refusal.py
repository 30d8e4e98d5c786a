"""Why a face in a photo is refused: too small, too doubtful, or not the one that was asked for."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from facerec.errors import ConfigError
from facerec.faces.face import Face

Which = Literal["all", "largest", "most_central", "score"]


def refusal_reasons(
    faces: Sequence[Face], which: Which, min_size: float, min_score: float, photo_size: tuple[int, int]
) -> list[str]:
    """Why each face is refused, in the order of `faces`; "" for those that are accepted.

    Args:
        faces: as a detector returns them.
        which: "all", or one face a photo: the "largest" box, the "most_central" box or the highest "score".
            Where two are equal, the first.
        min_size: smallest shorter side of a box, in pixels.
        min_score: smallest detector score.
        photo_size: height and width of the photo.

    Raises:
        ConfigError: `which` is none of the four.
    """
    if which not in ("all", "largest", "most_central", "score"):
        raise ConfigError(f"faces.which must be all, largest, most_central or score, not {which!r}")
    reasons = [
        "score too low" if face.score < min_score else "face too small" if face.size < min_size else ""
        for face in faces
    ]
    kept = [row for row, reason in enumerate(reasons) if not reason]
    if which != "all" and kept:
        best = max(kept, key=lambda row: _merit(faces[row], which, photo_size))
        reasons = [reason or ("" if row == best else f"not {which}") for row, reason in enumerate(reasons)]
    return reasons


def _merit(face: Face, which: Which, photo_size: tuple[int, int]) -> float:
    if which == "score":
        return face.score
    sides = face.box[2:] - face.box[:2]
    if which == "largest":
        return float(sides.prod())
    height, width = photo_size
    centre = (face.box[:2] + face.box[2:]) / 2
    return -float(np.hypot(*(centre - (np.array([width, height]) - 1) / 2)))
