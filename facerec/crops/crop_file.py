"""Read an image file of a data set as a crop."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facerec.crops.align import align
from facerec.crops.contract import CROP_SIZE
from facerec.crops.photo import read_photo
from facerec.crops.resize import resize


def crop_file(file: Path | bytes, landmarks: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    """Read an image and crop it.

    Args:
        file: the image, or its content.
        landmarks: `float32 [5, 2]` to align; None: take the centre square, resized.

    Returns:
        `uint8 [3, 112, 112]`.

    Raises:
        DataError: the image can't be read.
    """
    image = read_photo(file)
    if landmarks is not None:
        return align(image, landmarks[None]).squeeze(0)
    side, (top, left) = min(image.shape[:2]), centre_square(*image.shape[:2])
    square = image[top : top + side, left : left + side]
    return resize(square, (CROP_SIZE, CROP_SIZE)).transpose(2, 0, 1)


def centre_square(height: int, width: int) -> tuple[int, int]:
    """Top and left edge of the largest square in the middle of an image of this size."""
    side = min(height, width)
    return round((height - side) / 2), round((width - side) / 2)
