"""The general margin cos(m1·θ + m2) - m3, of which SphereFace, ArcFace and CosFace are cases."""

import math
from typing import Unpack

import torch
from torch import Tensor

from facerec.errors import ConfigError
from facerec.losses.base import MarginHead, MarginOptions, within

# acos has an infinite slope at ±1. Cosines closer to it than this (2.8 milliradians) are treated as constant
# under the margin; it is far below what training can tell apart and well above float32's rounding.
_POLE = 4e-6


def angle(cosine: Tensor) -> Tensor:
    """θ = acos(cosine), with a finite gradient everywhere."""
    return cosine.clamp(-1 + _POLE, 1 - _POLE).acos()


def margin_cosine(cosine: Tensor, m1: float, m2: float, m3: float) -> Tensor:
    """ψ(m1·θ + m2) - m3 with θ = acos(cosine), decreasing and continuous in θ over all of [0, π].

    ψ(φ) = (-1)^k cos φ - 2k with k = ⌊φ/π⌋ continues the cosine beyond π without turning upwards (Liu et al.,
    SphereFace, arXiv 1704.08063). Loss and gradient are finite at cosine = ±1.
    """
    if m1 == 1 and m2 == 0:
        return cosine - m3
    phi = m1 * angle(cosine) + m2
    k = (phi / math.pi).floor()
    return torch.where(k.remainder(2) == 0, phi.cos(), -phi.cos()) - 2 * k - m3


class Combined(MarginHead):
    """cos(m1·θ + m2) - m3, all three margins at once (Deng et al., arXiv 1801.07698, section 2.4).

    Args:
        embedding_dim: d.
        num_classes: C.
        m1: multiplicative angular margin, above 0 up to 8; 1 is none.
        m2: additive angular margin in radians, 0..π/2.
        m3: additive cosine margin, 0..1.
        options: see `MarginOptions`.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        *,
        m1: float,
        m2: float,
        m3: float,
        **options: Unpack[MarginOptions],
    ) -> None:
        super().__init__(embedding_dim, num_classes, **options)
        if not 0 < m1 <= 8:
            raise ConfigError(f"loss.m1 must be above 0 and at most 8, not {m1}; 1 is no margin")
        within("m2", m2, 0, math.pi / 2, " radians")
        within("m3", m3, 0, 1)
        self.m1, self.m2, self.m3 = m1, m2, m3

    def margin(self, cosine: Tensor, features: Tensor) -> Tensor:
        """Apply the share of the three margins that is in force."""
        share = self.margin_factor
        return margin_cosine(cosine, 1 + share * (self.m1 - 1), share * self.m2, share * self.m3)
