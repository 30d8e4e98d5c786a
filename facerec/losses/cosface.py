"""CosFace: an additive cosine margin."""

from facerec.losses.base import within
from facerec.losses.combined import Combined


class CosFace(Combined):
    """cos θ - m (Wang et al., arXiv 1801.09414).

    Args:
        embedding_dim: d.
        num_classes: C.
        m: taken from the target's cosine, 0..1.
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
        within("m", m, 0, 1)
        super().__init__(embedding_dim, num_classes, m1=1, m2=0, m3=m, scale=scale, margin_warmup=margin_warmup)
