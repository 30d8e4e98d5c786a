"""CosFace: an additive cosine margin."""

from typing import Unpack

from facerec.losses.base import MarginOptions, within
from facerec.losses.combined import Combined


class CosFace(Combined):
    """cos θ - m (Wang et al., arXiv 1801.09414).

    Args:
        embedding_dim: d.
        num_classes: C.
        m: taken from the target's cosine, 0..1.
        options: see `MarginOptions`.
    """

    def __init__(self, embedding_dim: int, num_classes: int, *, m: float, **options: Unpack[MarginOptions]) -> None:
        within("m", m, 0, 1)
        super().__init__(embedding_dim, num_classes, m1=1, m2=0, m3=m, **options)
