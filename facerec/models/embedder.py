"""The embedder: maps the bytes of a crop to a point on the unit sphere."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from facerec.backbones import Backbone
from facerec.models.base import check_crops
from facerec.models.crop_model import CropModel

_TINY = 1e-12  # lost in the rounding of any feature but 0


class Embedder(CropModel):
    """A backbone and the channel statistics it was trained with.

    Crops go in as they are stored, `uint8` in 0..255; they are normalised inside, so no caller can forget to.

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

    def features(self, crops: Tensor, *, halved: bool = False) -> Tensor:
        """Output of the backbone, not normalised: `uint8 [N, 3, 112, 112]` → `float [N, d]`.

        Args:
            crops: a batch.
            halved: show the backbone crops of half the side.

        Raises:
            ValueError: `crops` is not a batch of `uint8` crops.
        """
        # while an exporter records, a comparison of shapes would be one of tensors
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            check_crops(crops.shape, crops.dtype)
        # backbones in channels_last need no help here: their first convolution carries its layout on
        normalised = (crops.float() - self.mean[:, None, None]) / self.std[:, None, None]
        features: Tensor = self.backbone(F.avg_pool2d(normalised, 2) if halved else normalised)
        return features

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings: `uint8 [N, 3, 112, 112]` → `float32 [N, d]` of unit length.

        Features that are all 0, which a final ReLU can give, become the diagonal (1, …, 1) / √d and not NaN.

        Raises:
            ValueError: `crops` is not a batch of `uint8` crops.
        """
        return F.normalize(self.features(crops).float() + _TINY, dim=1)
