"""Resize photos."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as V


def resize(image: Tensor, size: Sequence[int]) -> Tensor:
    """Resize, antialiased: `uint8 [3, H, W]` → `uint8 [3, *size]`."""
    if 1 in image.shape:
        # torch 2.14 reads beyond the buffer if a side of one pixel has another stride, as after torch.rot90;
        # `contiguous` would leave it so
        image = image.clone(memory_format=torch.contiguous_format)
    resized: Tensor = V.resize(image, list(size), antialias=True)
    return resized
