"""From an image file to the crop that training and use share."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.v2 import functional as V

from facerec.crop import CROP_SIZE
from facerec.errors import DataError
from facerec.faces import similarity_transform, warp

_TORCHVISION_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif"}
IMAGE_SUFFIXES = _TORCHVISION_SUFFIXES | {".bmp", ".pgm", ".ppm", ".tif", ".tiff"}


def decode(file: Path) -> Tensor:
    """Read a picture, upright, as `uint8 [3, H, W]`, RGB, 0..255.

    Raises:
        DataError: the file is missing, empty, truncated or no picture.
    """
    try:
        if file.suffix.lower() in _TORCHVISION_SUFFIXES:
            image: Tensor = decode_image(str(file), mode=ImageReadMode.RGB, apply_exif_orientation=True)
            image = image[0] if image.ndim == 4 else image  # the first frame of an animation
            upright: Tensor = V.to_dtype(image, torch.uint8, scale=True)
            return upright
        with Image.open(file) as picture:
            return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
    except (RuntimeError, OSError, ValueError, SyntaxError) as error:
        reason = str(error).strip().splitlines()
        raise DataError(f"{file}: {reason[0] if reason else type(error).__name__}") from error


def crop_file(file: Path, landmarks: NDArray[np.float32] | None) -> Tensor:
    """Decode a picture and cut its crop.

    Args:
        file: the picture.
        landmarks: `float32 [5, 2]` to align by, or None: the centre square, resized.

    Returns:
        `uint8 [3, 112, 112]`.
    """
    image = decode(file)
    if landmarks is not None:
        return warp(image, similarity_transform(torch.from_numpy(landmarks)[None])[0])
    side = min(image.shape[1:])
    crop: Tensor = V.resize(V.center_crop(image, [side, side]), [CROP_SIZE, CROP_SIZE], antialias=True)
    return crop
