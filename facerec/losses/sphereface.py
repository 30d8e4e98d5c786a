"""SphereFace: a multiplicative angular margin."""

from facerec.losses.base import within
from facerec.losses.combined import Combined


class SphereFace(Combined):
    """cos(m·θ), monotonically continued (Liu et al., arXiv 1704.08063), with feature and weight normalised.

    Args:
        embedding_dim: d.
        num_classes: C.
        m: how many times larger the target's angle counts, 1..8.
        scale: see `MarginHead`.
        margin_warmup: see `MarginHead`.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        *,
        m: float,
        scale: float | None,
        margin_warmup: float = 0.0,
    ) -> None:
        within("m", m, 1, 8)
        super().__init__(embedding_dim, num_classes, m1=m, m2=0, m3=0, scale=scale, margin_warmup=margin_warmup)
