"""SphereFace: a multiplicative angular margin."""

from typing import Unpack

from facerec.losses.base import MarginOptions, within
from facerec.losses.combined import Combined


class SphereFace(Combined):
    """cos(m·θ), monotonically continued (Liu et al., arXiv 1704.08063), with feature and weight normalised.

    Args:
        embedding_dim: d.
        num_classes: C.
        m: how many times larger the target's angle counts, 1..8.
        options: see `MarginOptions`.
    """

    def __init__(self, embedding_dim: int, num_classes: int, *, m: float, **options: Unpack[MarginOptions]) -> None:
        within("m", m, 1, 8)
        super().__init__(embedding_dim, num_classes, m1=m, m2=0, m3=0, **options)
