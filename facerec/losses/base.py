"""What every head shares: class weights, cosines in float32, a loss."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerec.errors import ConfigError


class HeadOutput(NamedTuple):
    """`loss` a scalar; `cosine` detached `[N, C]`, to each class and without margin. Both float32."""

    loss: Tensor
    cosine: Tensor


def in_float32(tensor: Tensor) -> Tensor:
    """At least float32: bf16 and fp16 are raised, float64 stays."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


class Head(nn.Module):
    """A classifier over the training identities, thrown away after training.

    All arithmetic is in float32 whatever the trunk's precision, under autocast too.

    Args:
        embedding_dim: d, the length of a feature vector.
        num_classes: C, how many training identities there are.
    """

    def __init__(self, embedding_dim: int, num_classes: int) -> None:
        super().__init__()
        if embedding_dim < 1 or num_classes < 2:
            raise ConfigError(f"loss: needs features and two classes, not {embedding_dim} and {num_classes}")
        self.weight = nn.Parameter(torch.randn(num_classes, embedding_dim) / math.sqrt(embedding_dim))

    @property
    def prototypes(self) -> Tensor:
        """Unit `[C, d]` (or `[C, K, d]`): where the head expects each class."""
        return F.normalize(in_float32(self.weight.detach()), dim=-1)

    def set_progress(self, epoch: float) -> None:
        """Tell the head how many epochs, with fraction, lie behind; most heads do not care."""

    def cosine(self, features: Tensor) -> Tensor:
        """`[N, d]` → `[N, C]`, margin-free."""
        return F.normalize(in_float32(features), dim=1) @ F.normalize(in_float32(self.weight), dim=-1).T

    def logits(self, features: Tensor, cosine: Tensor, labels: Tensor) -> Tensor:
        """`[N, C]` for the cross-entropy; each head has its own."""
        raise NotImplementedError

    def forward(self, features: Tensor, labels: Tensor) -> HeadOutput:
        """Cross-entropy of a batch.

        Args:
            features: `[N, d]`, any float dtype, not normalised.
            labels: `int64 [N]`, 0..C-1.
        """
        with torch.autocast(features.device.type, enabled=False):
            cosine = self.cosine(features)
            loss = F.cross_entropy(self.logits(in_float32(features), cosine, labels), labels)
        return HeadOutput(loss, cosine.detach())


class MarginHead(Head):
    """Softmax over scaled cosines, with a margin that the target's cosine has to overcome.

    Args:
        embedding_dim: d.
        num_classes: C.
        scale: s, the radius of the sphere; None takes AdaCos' fixed √2·ln(C - 1), at least 1 (Zhang et al.,
            arXiv 1905.00292).
        margin_warmup: epochs in which the margin grows from nothing to its full size.
    """

    def __init__(
        self, embedding_dim: int, num_classes: int, *, scale: float | None, margin_warmup: float = 0.0
    ) -> None:
        super().__init__(embedding_dim, num_classes)
        if scale is not None and scale <= 0:
            raise ConfigError(f"loss.scale must be positive, not {scale}")
        if margin_warmup < 0:
            raise ConfigError(f"loss.margin_warmup must not be negative, but is {margin_warmup}")
        self.scale = max(1.0, math.sqrt(2) * math.log(num_classes - 1)) if scale is None else scale
        self.margin_warmup = margin_warmup
        self.margin_factor = 1.0

    def set_progress(self, epoch: float) -> None:
        """Set the share of the margin that is in force."""
        self.margin_factor = min(1.0, epoch / self.margin_warmup) if self.margin_warmup else 1.0

    def margin(self, cosine: Tensor, features: Tensor) -> Tensor:
        """The target's cosine `[N]` with `margin_factor` of the margin; `features` float32 `[N, d]`."""
        raise NotImplementedError

    def logits(self, features: Tensor, cosine: Tensor, labels: Tensor) -> Tensor:
        """Scaled cosines, the target's behind its margin."""
        target = cosine.gather(1, labels[:, None])
        return (
            cosine.scatter(1, labels[:, None], self.margin(target.squeeze(1), features)[:, None]) * self.scale
        )
