"""NormFace: softmax over scaled cosines, without a margin."""

from typing import Unpack

from torch import Tensor

from facerec.losses.base import HeadOptions, MarginHead


class NormFace(MarginHead):
    """s·cos θ (Wang et al., arXiv 1704.06369) with a fixed scale.

    Args:
        embedding_dim: d.
        num_classes: C.
        scale: see `MarginOptions`.
        options: see `HeadOptions`.
    """

    def __init__(
        self, embedding_dim: int, num_classes: int, *, scale: float | None, **options: Unpack[HeadOptions]
    ) -> None:
        super().__init__(embedding_dim, num_classes, scale=scale, **options)

    def margin(self, cosine: Tensor, features: Tensor) -> Tensor:
        """None."""
        return cosine
