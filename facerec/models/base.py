"""What every model of crops can do, whatever is inside: embed any number of them."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facerec.crops.contract import CROP_SIZE


class CropModel(nn.Module, ABC):
    """Maps crops `uint8 [N, 3, 112, 112]` to unit vectors `float32 [N, embedding_dim]`; owns a buffer at least."""

    @property
    @abstractmethod
    def embedding_dim(self) -> int:
        """Length of an embedding."""

    def embed(self, crops: Tensor | NDArray[Any], batch_size: int = 256) -> Tensor:
        """Embed any number of crops, in evaluation mode and without gradients, on the model's device.

        Args:
            crops: `uint8 [N, 3, 112, 112]`, or one crop `[3, 112, 112]`; N may be 0. A memory-mapped array is
                read a batch at a time.
            batch_size: crops on the device at once.

        Returns:
            `float32 [N, d]` on the CPU, of unit length; `[1, d]` for one crop.

        Raises:
            ValueError: `crops` are not `uint8` crops, or `batch_size` is below 1.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        if crops.ndim == 3:
            crops = crops[None]
        check_crops(crops)
        device = next(self.buffers()).device
        embeddings = torch.empty(len(crops), self.embedding_dim)
        modes = [(module, module.training) for module in self.modules()]
        self.eval()
        try:
            with torch.inference_mode():
                for start in range(0, len(crops), batch_size):
                    part = slice(start, start + batch_size)
                    embeddings[part] = self(_as_tensor(crops[part]).to(device))
        finally:
            for module, mode in modes:
                module.training = mode
        return embeddings


def check_crops(crops: Tensor | NDArray[Any]) -> None:
    """Raise a ValueError that says what `crops` are, unless they are `uint8 [N, 3, 112, 112]`."""
    if crops.ndim != 4 or tuple(crops.shape[1:]) != (3, CROP_SIZE, CROP_SIZE):
        raise ValueError(f"crops must be [N, 3, {CROP_SIZE}, {CROP_SIZE}], not {list(crops.shape)}")
    if crops.dtype not in (torch.uint8, np.uint8):
        raise ValueError(f"crops must be uint8 in 0..255, not {crops.dtype}")


def _as_tensor(crops: Tensor | NDArray[Any]) -> Tensor:
    # a copy, because torch refuses negative strides and warns about read-only memory
    return crops if isinstance(crops, Tensor) else torch.from_numpy(np.array(crops, order="C"))
