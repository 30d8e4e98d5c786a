"""Sub-centre ArcFace: several centres a class, so that images with wrong labels gather around one of their own."""

from typing import Unpack

import torch
from torch import Tensor, nn

from facerec.errors import ConfigError
from facerec.losses.arcface import ArcFace
from facerec.losses.base import MarginOptions
from facerec.losses.class_shards import local_rows


class SubCenterArcFace(ArcFace):
    """ArcFace on the nearest of K centres of each class (Deng et al., ECCV 2020). `weight` is `[C, K, d]`.

    Args:
        embedding_dim: d.
        num_classes: C.
        centers: K.
        m: added to the target's angle, in radians.
        options: see `MarginOptions`.
    """

    def __init__(
        self, embedding_dim: int, num_classes: int, *, centers: int = 3, m: float, **options: Unpack[MarginOptions]
    ) -> None:
        super().__init__(embedding_dim, num_classes, m=m, **options)
        if centers < 1:
            raise ConfigError(f"loss.centers must be 1 or more, not {centers}")
        self.weight = nn.Parameter(0.01 * torch.randn(num_classes, centers, embedding_dim))

    def cosine(self, features: Tensor) -> Tensor:
        """`[N, d]` → `[N, C]`, to the nearest centre of each class."""
        classes, centers, _ = local_rows(self.weight).shape
        return super().cosine(features).view(-1, classes, centers).amax(dim=2)
