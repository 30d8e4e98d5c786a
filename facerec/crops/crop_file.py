"""Read an image file of a data set as a crop."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional as V

from facerec.crops.align import similarity_transform, warp
from facerec.crops.contract import CROP_SIZE
from facerec.crops.photo import read_photo


def crop_file(file: Path, landmarks: NDArray[np.float32] | None) -> Tensor:
    """Read an image and crop it.

    Args:
        file: the image.
        landmarks: `float32 [5, 2]` to align; None: take the centre square, resized.

    Returns:
        `uint8 [3, 112, 112]`.

    Raises:
        DataError: the image can't be read.
    """
    image = read_photo(file)
    if landmarks is not None:
        return warp(image, similarity_transform(torch.from_numpy(landmarks)[None])[0])
    side = min(image.shape[1:])
    crop: Tensor = V.resize(V.center_crop(image, [side, side]), [CROP_SIZE, CROP_SIZE], antialias=True)
    return crop
