"""What every head shares: class weights, cosines in float32, a loss."""

import math
from typing import NamedTuple, Required, TypedDict, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerec.errors import ConfigError
from facerec.losses.class_shards import ShardedClassifier, local_rows


class HeadOutput(NamedTuple):
    """What a head makes of a batch.

    Attributes:
        loss: a scalar of `Head.dtype`; that of the global batch if the classes are sharded.
        cosine: detached `[N, C]` of `Head.dtype`, to each (local) class and without margin.
        correct: `bool [N]`, whether an image's own class is the nearest; only images of local classes.
    """

    loss: Tensor
    cosine: Tensor
    correct: Tensor


def within(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    """Raise a ConfigError that names `loss.NAME` unless low <= value <= high."""
    if not low <= value <= high:  # true for NaN too
        raise ConfigError(f"loss.{name} must be between {low:.4g} and {high:.4g}{unit}, not {value}")


def normalized(vectors: Tensor) -> Tensor:
    """Unit vectors along the last axis.

    One shorter than 1e-6 has no direction: it becomes 0 and gets no gradient, where `F.normalize` would hand
    it one of 1e12.
    """
    norm: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / norm.masked_fill(norm < 1e-6, torch.inf)


class HeadOptions(TypedDict, total=False):
    """The options of every head, in `conf/loss/_head.yaml`.

    Attributes:
        shard_classes: whether to shard the classes over the processes of a training, for millions of them.
    """

    shard_classes: bool


class MarginOptions(HeadOptions, total=False):
    """The options of every head with a margin, in `conf/loss/_margin.yaml`.

    Attributes:
        scale: s, the radius of the sphere; None takes AdaCos' fixed √2·ln(C - 1), at least 1 (Zhang et al.,
            arXiv 1905.00292).
        margin_warmup: epochs in which the margin grows from nothing to its full size, 0 by default.
    """

    scale: Required[float | None]
    margin_warmup: float


class Head(nn.Module):
    """A classifier over the training identities, thrown away after training.

    All arithmetic is in float32 (float64 after `.double()`) whatever the precision of features, weights and
    autocast.

    Args:
        embedding_dim: d, the length of a feature vector.
        num_classes: C, how many training identities there are.
        shard_classes: see `HeadOptions`.
    """

    def __init__(self, embedding_dim: int, num_classes: int, *, shard_classes: bool = False) -> None:
        super().__init__()
        if embedding_dim < 1:
            raise ConfigError(f"loss.embedding_dim must be positive, not {embedding_dim}")
        if num_classes < 2:
            raise ConfigError(f"loss.num_classes must be 2 or more, not {num_classes}: train on more identities")
        # short, as in the ArcFace authors' code: the first steps then turn a class towards its images, where a unit
        # vector would keep most of its random direction throughout a short training
        self.weight = nn.Parameter(0.01 * torch.randn(num_classes, embedding_dim))
        self.shard_classes = shard_classes
        self.sharded: ShardedClassifier | None = None  # until `shard`

    @property
    def dtype(self) -> torch.dtype:
        """What the head computes in: float32, or float64 after `.double()`; never less."""
        return torch.promote_types(self.weight.dtype, torch.float32)

    @property
    def prototypes(self) -> Tensor:
        """Unit `float32 [C, d]` (or `[C, K, d]`), detached: where the head expects each class."""
        weight = self.weight.detach()
        return normalized((weight.full_tensor() if self.sharded else weight).float())  # type: ignore[attr-defined]

    def shard(self, device: torch.device) -> None:
        """Keep only this process's shard of the classes, on this device.

        From now on each process hands in its local batch, and all get the loss of the global one.
        """
        self.sharded = ShardedClassifier(len(self.weight), device)
        for name, parameter in list(self.named_parameters()):
            setattr(self, name, nn.Parameter(self.sharded.shard(parameter.detach())))

    def set_progress(self, epoch: float) -> None:
        """Tell the head how many epochs, with fraction, lie behind; most heads do not care."""

    def cosine(self, features: Tensor) -> Tensor:
        """`[N, d]` → `[N, C]`, to each (local) class, margin-free."""
        with torch.autocast(features.device.type, enabled=False):
            weight = normalized(local_rows(self.weight).to(self.dtype)).flatten(end_dim=-2)
            return normalized(features.to(self.dtype)) @ weight.T

    def observe(self, features: Tensor) -> None:
        """Look at the features `[N, d]` of a batch before its loss; most heads do not care."""

    def logits(self, features: Tensor, cosine: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """`[N, C]` for the cross-entropy; each head has its own. Row `rows[i]` is of class `columns[i]`."""
        raise NotImplementedError

    def forward(self, features: Tensor, labels: Tensor) -> HeadOutput:
        """Cross-entropy of a batch.

        Args:
            features: `[N, d]`, any float dtype, not normalised.
            labels: `int64 [N]`, 0..C-1.
        """
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(self.dtype)
            if self.sharded is None:
                rows, columns = torch.arange(len(labels), device=labels.device), labels
            else:
                features, labels = self.sharded.global_batch(features, labels)
                rows, columns = self.sharded.local_targets(labels)
            self.observe(features)
            cosine = self.cosine(features)
            logits = self.logits(features, cosine, rows, columns)
            loss = (self.sharded.cross_entropy if self.sharded else F.cross_entropy)(logits, labels)
            cosine = cosine.detach()
            highest = cosine.amax(dim=1)
            highest = self.sharded.global_max(highest) if self.sharded else highest
        return HeadOutput(loss, cosine, cosine[rows, columns] >= highest[rows])


class MarginHead(Head):
    """Softmax over scaled cosines, with a margin that the target's cosine has to overcome.

    Args:
        embedding_dim: d.
        num_classes: C.
        scale: see `MarginOptions`.
        margin_warmup: see `MarginOptions`.
        options: see `HeadOptions`.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        *,
        scale: float | None,
        margin_warmup: float = 0.0,
        **options: Unpack[HeadOptions],
    ) -> None:
        super().__init__(embedding_dim, num_classes, **options)
        if scale is not None and not 0 < scale < math.inf:
            raise ConfigError(f"loss.scale must be positive, not {scale}; null is AdaCos' fixed scale")
        if not 0 <= margin_warmup < math.inf:
            raise ConfigError(f"loss.margin_warmup must be 0 or more epochs, not {margin_warmup}")
        self.scale = max(1.0, math.sqrt(2) * math.log(num_classes - 1)) if scale is None else scale
        self.margin_warmup = margin_warmup
        self.set_progress(0.0)

    def set_progress(self, epoch: float) -> None:
        """Set the share of the margin that is in force, `margin_factor` in 0..1."""
        self.margin_factor = min(1.0, max(0.0, epoch / self.margin_warmup)) if self.margin_warmup else 1.0

    def margin(self, cosine: Tensor, features: Tensor) -> Tensor:
        """The target's cosine `[N]` with `margin_factor` of the margin; `features` float32 `[N, d]`."""
        raise NotImplementedError

    def logits(self, features: Tensor, cosine: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Scaled cosines, the target's behind its margin."""
        behind = self.margin(cosine[rows, columns], features[rows])
        return cosine.index_put((rows, columns), behind) * self.scale
