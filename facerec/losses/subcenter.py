"""Sub-centre ArcFace: several centres a class, so that noisy labels find one of their own."""

import torch
from torch import Tensor, nn

from facerec.errors import ConfigError
from facerec.losses.arcface import ArcFace
from facerec.losses.class_shards import here


class SubCenterArcFace(ArcFace):
    """ArcFace on the nearest of K centres of each class (Deng et al., ECCV 2020). `weight` is `[C, K, d]`.

    Args:
        embedding_dim: d.
        num_classes: C.
        centers: K.
        m: added to the target's angle, in radians.
        scale: see `MarginHead`.
        margin_warmup: see `MarginHead`.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        *,
        centers: int = 3,
        m: float,
        scale: float | None,
        margin_warmup: float = 0.0,
    ) -> None:
        super().__init__(embedding_dim, num_classes, m=m, scale=scale, margin_warmup=margin_warmup)
        if centers < 1:
            raise ConfigError(f"loss.centers must be 1 or more, not {centers}")
        self.weight = nn.Parameter(0.01 * torch.randn(num_classes, centers, embedding_dim))

    def cosine(self, features: Tensor) -> Tensor:
        """`[N, d]` → `[N, C]`, to the nearest centre of each class."""
        classes, centers, _ = here(self.weight).shape
        return super().cosine(features).view(-1, classes, centers).amax(dim=2)
