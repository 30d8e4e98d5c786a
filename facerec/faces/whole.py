"""The detector for photos that are crops already."""

from collections.abc import Sequence

import numpy as np

from facerec.crops.align import ARCFACE_TEMPLATE
from facerec.crops.contract import CROP_SIZE, Photo
from facerec.crops.crop_file import centre_square
from facerec.faces.face import Face


class WholePhoto:
    """Treats each photo as a crop: its centre square is resized to 112x112, as `dataset=folder` does.

    The box is that square and the landmarks are where the template lies in it; the score is 1.
    """

    def find(self, photos: Sequence[Photo]) -> list[list[Face]]:
        """One face for each photo `uint8 [H, W, 3]`."""
        return [[_square_face(*photo.shape[:2])] for photo in photos]


def _square_face(height: int, width: int) -> Face:
    side, (top, left) = min(height, width), centre_square(height, width)
    corner = np.array([left, top], dtype=np.float32)
    landmarks = (ARCFACE_TEMPLATE + 0.5) * (side / CROP_SIZE) - 0.5 + corner
    return Face(np.concatenate([corner, corner + side - 1]), landmarks.astype(np.float32), 1.0)
