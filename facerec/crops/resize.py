"""Resize photos."""

import numpy as np
from PIL import Image

from facerec.crops.contract import Photo


def resize(image: Photo, size: tuple[int, int]) -> Photo:
    """Resize, antialiased: `uint8 [H, W, 3]` → `uint8 [*size, 3]`; `size` is height and width."""
    height, width = size
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
