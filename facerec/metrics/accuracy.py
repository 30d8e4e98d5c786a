"""A@1: how often the nearest prototype is that of the right identity."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from facerec.errors import DataError
from facerec.metrics.similarity import require_finite, similarity_blocks


class Halves(NamedTuple):
    """C identities in the order of their labels.

    Attributes:
        prototypes: unit `float [C, d]`.
        identity: `int64 [N]`, the number of each sample's prototype.
        probe: `bool [N]`, samples that were not enrolled.
    """

    prototypes: Tensor
    identity: Tensor
    probe: Tensor


class PerProbe(NamedTuple):
    """For each probe, `[P]` on the CPU: its row, `int64`, and whether it was named rightly, `bool`."""

    rows: Tensor
    correct: Tensor


def nearest_prototype(embeddings: Tensor, prototypes: Tensor) -> Tensor:
    """Index of each embedding's most similar class, `int64 [N]`; of equals the lower.

    Args:
        embeddings: `float [N, d]`.
        prototypes: `float [C, d]`, or `[C, K, d]` where a class has K of them.
    """
    flat = prototypes.reshape(-1, prototypes.shape[-1])
    per_class = len(flat) // len(prototypes)
    return torch.cat([block.argmax(dim=1) // per_class for block in similarity_blocks(embeddings, flat)])


def enrol_half(embeddings: Tensor, labels: Tensor) -> Halves:
    """Enrol half of each identity; the other half are probes.

    In the order of rows the first, third, … sample of an identity is enrolled and the others are probes; the
    prototype is the normalised mean of the enrolled. An identity with one sample is enrolled only.

    Args:
        embeddings: unit `float [N, d]`.
        labels: `int64 [N]`.

    Raises:
        DataError: no identity has two samples.
    """
    _, identity, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    order = identity.argsort(stable=True)
    first = counts.cumsum(0) - counts
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device) - first[identity[order]]
    probe = place % 2 == 1
    if not probe.any():
        raise DataError(f"no identity among {len(counts)} has two samples, so there is no probe")
    sums = embeddings.new_zeros(len(counts), embeddings.shape[1])
    sums.index_add_(0, identity[~probe], embeddings[~probe])
    return Halves(F.normalize(sums, dim=1), identity, probe)


def unseen_per_probe(embeddings: Tensor, labels: Tensor) -> PerProbe:
    """Name each probe of `enrol_half` by its nearest prototype.

    Args:
        embeddings: unit `float [N, d]`.
        labels: `int64 [N]`.

    Raises:
        DataError: an embedding is not finite, or no identity has two samples.
    """
    require_finite(embeddings)
    prototypes, identity, probe = enrol_half(embeddings, labels)
    correct = nearest_prototype(embeddings[probe], prototypes) == identity[probe]
    return PerProbe(probe.nonzero().squeeze(1).cpu(), correct.cpu())


def accuracy_unseen(embeddings: Tensor, labels: Tensor) -> float:
    """A@1/unseen: share of the probes of `unseen_per_probe` that are named rightly."""
    correct = unseen_per_probe(embeddings, labels).correct
    return int(correct.sum()) / len(correct)
