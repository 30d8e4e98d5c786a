"""ArcFace: an additive angular margin."""

import math
from typing import Unpack

from facerec.losses.base import MarginOptions, within
from facerec.losses.combined import Combined


class ArcFace(Combined):
    """cos(θ + m) (Deng et al., arXiv 1801.07698).

    Args:
        embedding_dim: d.
        num_classes: C.
        m: added to the target's angle, in radians, 0..π/2.
        options: see `MarginOptions`.
    """

    def __init__(self, embedding_dim: int, num_classes: int, *, m: float, **options: Unpack[MarginOptions]) -> None:
        within("m", m, 0, math.pi / 2, " radians")
        super().__init__(embedding_dim, num_classes, m1=1, m2=m, m3=0, **options)
