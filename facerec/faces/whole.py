"""The detector for photos that are crops already."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from facerec.crops.align import ARCFACE_TEMPLATE
from facerec.crops.contract import CROP_SIZE
from facerec.faces.face import Face


class WholePhoto:
    """Treats each photo as a crop: its centre square is resized to 112x112, as `dataset=folder` does.

    The box is that square and the landmarks are where the template lies in it; the score is 1.
    """

    def find(self, photos: Sequence[Tensor]) -> list[list[Face]]:
        """One face for each photo `uint8 [3, H, W]`."""
        return [[_centre_square(*photo.shape[1:])] for photo in photos]


def _centre_square(height: int, width: int) -> Face:
    side = min(height, width)
    # rounded as torchvision's center_crop rounds
    corner = np.array([round((width - side) / 2), round((height - side) / 2)], dtype=np.float32)
    landmarks = (ARCFACE_TEMPLATE.numpy() + 0.5) * (side / CROP_SIZE) - 0.5 + corner
    return Face(np.concatenate([corner, corner + side - 1]), landmarks.astype(np.float32), 1.0)
