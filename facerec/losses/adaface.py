"""AdaFace: a margin that adapts to the quality of the image, read off the feature's norm."""

from typing import Unpack

import torch
from torch import Tensor

from facerec.distributed import collectives
from facerec.errors import ConfigError
from facerec.losses.base import MarginHead, MarginOptions, within
from facerec.losses.combined import angle


class AdaFace(MarginHead):
    """cos(θ - m·q) - (m + m·q) with q in [-1, 1] from the norm (Kim et al., arXiv 2204.00964).

    q = clip(h·(norm - mean)/std, -1, 1); mean and std of the norms are running values. A norm at the mean
    gets CosFace's margin, a short one ArcFace's, a long one a negative angle with twice CosFace's. θ - m·q is
    kept within [0, π].

    Args:
        embedding_dim: d.
        num_classes: C.
        m: margin, 0..1.
        h: how far the norm reaches, 0..10; 0 is CosFace.
        momentum: share of a batch in the running mean and standard deviation of the norms, above 0 up to 1.
        options: see `MarginOptions`.
    """

    norm_mean: Tensor
    norm_std: Tensor

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        *,
        m: float = 0.4,
        h: float = 0.333,
        momentum: float = 0.01,
        **options: Unpack[MarginOptions],
    ) -> None:
        super().__init__(embedding_dim, num_classes, **options)
        within("m", m, 0, 1)
        within("h", h, 0, 10)
        if not 0 < momentum <= 1:
            raise ConfigError(f"loss.momentum must be above 0 and at most 1, not {momentum}")
        self.m, self.h, self.momentum = m, h, momentum
        self.register_buffer("norm_mean", torch.tensor(20.0))  # the authors' starting values
        self.register_buffer("norm_std", torch.tensor(100.0))

    def observe(self, features: Tensor) -> None:
        """Learn the norms in training, those of all processes."""
        norms = _norms(features)
        if self.training and self.sharded is None and collectives.is_distributed():
            norms = collectives.all_gather_rows(norms)
        if self.training and len(norms) > 1:
            self.norm_mean.lerp_(norms.mean().to(self.norm_mean), self.momentum)
            self.norm_std.lerp_(norms.std().to(self.norm_std), self.momentum)

    def margin(self, cosine: Tensor, features: Tensor) -> Tensor:
        """Angle by -m·q, cosine by m + m·q; no gradient flows through the norm."""
        norms = _norms(features)
        quality = ((norms - self.norm_mean) / (self.norm_std + 1e-3) * self.h).clamp(-1, 1)
        m = self.margin_factor * self.m
        turn = -m * quality
        turned = (angle(cosine) + turn).clamp(0, torch.pi).cos()  # kept within [0, π], as the authors do
        return torch.where(turn == 0, cosine, turned) - m * (1 + quality)


def _norms(features: Tensor) -> Tensor:
    norms: Tensor = features.detach().norm(dim=1).clamp(1e-3, 100)
    return norms
