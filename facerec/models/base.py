"""What all embedders have in common: they embed any number of crops."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facerec.crops.contract import CROP_SIZE

Crops = Tensor | NDArray[Any]


class CropEmbedder(Protocol):
    """Crops in, unit vectors out."""

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""

    def embed(self, crops: Crops, batch_size: int = ...) -> Tensor:
        """Any number of crops `uint8 [N, 3, 112, 112]`, or one → `float32 [N, d]` on the CPU, of unit length."""


class CropModel(nn.Module, ABC):
    """Maps crops `uint8 [N, 3, 112, 112]` to unit vectors `float32 [N, embedding_dim]`; owns a buffer at least."""

    @property
    @abstractmethod
    def embedding_dim(self) -> int:
        """Length of an embedding."""

    def embed(self, crops: Crops, batch_size: int = 256) -> Tensor:
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
        device = next(self.buffers()).device
        modes = [(module, module.training) for module in self.modules()]
        self.eval()

        def embed(batch: Tensor) -> Tensor:
            with torch.inference_mode():
                embeddings: Tensor = self(batch.to(device))
            return embeddings

        try:
            return in_batches(embed, crops, self.embedding_dim, batch_size)
        finally:
            for module, mode in modes:
                module.training = mode


def in_batches(embed: Callable[[Tensor], Tensor], crops: Crops, dim: int, batch_size: int) -> Tensor:
    """Embed crops batch by batch.

    Args:
        embed: `uint8 [B, 3, 112, 112]` → `float [B, dim]`.
        crops: `uint8 [N, 3, 112, 112]`, or one crop `[3, 112, 112]`.
        dim: length of an embedding.
        batch_size: crops at once.

    Returns:
        `float32 [N, dim]` on the CPU.

    Raises:
        ValueError: `crops` are not `uint8` crops, or `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    if crops.ndim == 3:
        crops = crops[None]
    check_crops(crops)
    embeddings = torch.empty(len(crops), dim)
    for start in range(0, len(crops), batch_size):
        batch = slice(start, start + batch_size)
        embeddings[batch] = embed(_as_tensor(crops[batch]))
    return embeddings


def check_crops(crops: Crops) -> None:
    """Raise a ValueError that says what `crops` are, unless they are `uint8 [N, 3, 112, 112]`."""
    if crops.ndim != 4 or tuple(crops.shape[1:]) != (3, CROP_SIZE, CROP_SIZE):
        raise ValueError(f"crops must be [N, 3, {CROP_SIZE}, {CROP_SIZE}], not {list(crops.shape)}")
    if crops.dtype not in (torch.uint8, np.uint8):
        raise ValueError(f"crops must be uint8 in 0..255, not {crops.dtype}")


def _as_tensor(crops: Crops) -> Tensor:
    # a copy, because torch refuses negative strides and warns about read-only memory
    return crops if isinstance(crops, Tensor) else torch.from_numpy(np.array(crops, order="C"))
