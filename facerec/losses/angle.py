"""Angles of cosines, and the cosine that goes on falling beyond π."""

import math

import torch
from torch import Tensor


def angle(cosine: Tensor) -> Tensor:
    """θ = acos(cosine), with a finite gradient everywhere.

    The slope of acos is infinite at ±1, and rounding takes cosines beyond. So they are first clamped to
    ±(1 - ε), ε the dtype's epsilon: in float32, θ stays 4.9e-4 away from 0 and π, and |dθ/dcosine| below 2100.
    """
    limit = 1 - torch.finfo(cosine.dtype).eps
    return torch.acos(cosine.clamp(-limit, limit))


def psi(phi: Tensor) -> Tensor:
    """The cosine on [0, π], continued so that it falls for every φ: (-1)^k·cos(φ) - 2k with k = ⌊φ/π⌋.

    Liu et al. 2017, SphereFace, arXiv 1704.08063, equation 7.
    """
    k = torch.floor(phi / math.pi)
    return (1 - 2 * (k % 2)) * torch.cos(phi) - 2 * k
