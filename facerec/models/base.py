"""What all embedders have in common: they embed any number of crops."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import CROP_SIZE, Crops


class CropEmbedder(Protocol):
    """Crops in, unit vectors out."""

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""

    def embed(self, crops: Crops, batch_size: int = ...) -> NDArray[np.float32]:
        """Any number of crops `uint8 [N, 3, 112, 112]`, or one → `float32 [N, d]`, of unit length."""


def in_batches(
    embed: Callable[[Crops], NDArray[np.float32]], crops: Crops, dim: int, batch_size: int
) -> NDArray[np.float32]:
    """Embed crops batch by batch.

    Args:
        embed: `uint8 [B, 3, 112, 112]` → `float32 [B, dim]`.
        crops: `uint8 [N, 3, 112, 112]`, or one crop `[3, 112, 112]`.
        dim: length of an embedding.
        batch_size: crops at once.

    Returns:
        `float32 [N, dim]`.

    Raises:
        ValueError: `crops` are not `uint8` crops, or `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    if crops.ndim == 3:
        crops = crops[None]
    check_crops(crops.shape, crops.dtype)
    embeddings = np.empty((len(crops), dim), np.float32)
    for start in range(0, len(crops), batch_size):
        batch = slice(start, start + batch_size)
        embeddings[batch] = embed(crops[batch])
    return embeddings


def check_crops(shape: tuple[int, ...], dtype: object) -> None:
    """Raise a ValueError that says what crops are like, unless they are `uint8 [N, 3, 112, 112]`."""
    if len(shape) != 4 or tuple(shape[1:]) != (3, CROP_SIZE, CROP_SIZE):
        raise ValueError(f"crops must be [N, 3, {CROP_SIZE}, {CROP_SIZE}], not {list(shape)}")
    if str(dtype).removeprefix("torch.") != "uint8":
        raise ValueError(f"crops must be uint8 in 0..255, not {dtype}")
