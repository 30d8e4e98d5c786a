"""The embedder: from a crop's bytes to a point on the unit sphere."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facerec.backbones import Backbone
from facerec.crop import CROP_SIZE

_TINY = 1e-12  # lost in the rounding of any feature but 0


class Embedder(nn.Module):
    """A backbone and the channel statistics it was trained with.

    Crops go in as they are stored, `uint8` in 0..255; normalisation happens inside: no caller can forget it.

    Args:
        backbone: maps normalised crops to features.
        mean: of each colour channel over the training crops, R, G, B, in 0..255.
        std: standard deviation of each, in 0..255, above 0.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != 3 or len(std) != 3 or not all(value > 0 for value in std):
            raise ValueError(f"mean and std need three values each, std above 0; got {list(mean)} and {list(std)}")
        self.backbone = backbone
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        return self.backbone.out_features

    def features(self, crops: Tensor) -> Tensor:
        """What the backbone says, not normalised: `uint8 [N, 3, 112, 112]` → `float [N, d]`.

        Raises:
            ValueError: `crops` is not a batch of `uint8` crops.
        """
        _check(crops)
        # backbones in channels_last need no help here: their first convolution carries its layout on
        normalised = (crops.float() - self.mean[:, None, None]) / self.std[:, None, None]
        features: Tensor = self.backbone(normalised)
        return features

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings: `uint8 [N, 3, 112, 112]` → `float32 [N, d]` of unit length.

        Features that are all 0, which a final ReLU can give, become the diagonal (1, …, 1) / √d and not NaN.

        Raises:
            ValueError: `crops` is not a batch of `uint8` crops.
        """
        return F.normalize(self.features(crops).float() + _TINY, dim=1)

    def embed(self, crops: Tensor | NDArray[Any], batch_size: int = 256) -> Tensor:
        """Embed any number of crops, in evaluation mode and without gradients, on the embedder's device.

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
        _check(crops)
        embeddings = torch.empty(len(crops), self.embedding_dim)
        modes = [(module, module.training) for module in self.modules()]
        self.eval()
        try:
            with torch.inference_mode():
                for start in range(0, len(crops), batch_size):
                    part = slice(start, start + batch_size)
                    embeddings[part] = self(_as_tensor(crops[part]).to(self.mean.device))
        finally:
            for module, mode in modes:
                module.training = mode
        return embeddings


def _as_tensor(crops: Tensor | NDArray[Any]) -> Tensor:
    # a copy, because torch refuses negative strides and warns about read-only memory
    return crops if isinstance(crops, Tensor) else torch.from_numpy(np.array(crops, order="C"))


def _check(crops: Tensor | NDArray[Any]) -> None:
    if crops.ndim != 4 or tuple(crops.shape[1:]) != (3, CROP_SIZE, CROP_SIZE):
        raise ValueError(f"crops must be [N, 3, {CROP_SIZE}, {CROP_SIZE}], not {list(crops.shape)}")
    if crops.dtype not in (torch.uint8, np.uint8):
        raise ValueError(f"crops must be uint8 in 0..255, not {crops.dtype}")
