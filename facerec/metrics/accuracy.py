"""A@1: is the nearest class prototype the right one?"""

import torch
import torch.nn.functional as F
from torch import Tensor

from facerec.errors import DataError
from facerec.metrics.similarity import require_finite, similarity_blocks


def nearest_prototype(embeddings: Tensor, prototypes: Tensor) -> Tensor:
    """Index of each embedding's most similar class, `int64 [N]`; of equals the lower.

    Args:
        embeddings: `float [N, d]`.
        prototypes: `float [C, d]`, or `[C, K, d]` where a class has K of them.
    """
    flat = prototypes.reshape(-1, prototypes.shape[-1])
    per_class = len(flat) // len(prototypes)
    return torch.cat([block.argmax(dim=1) // per_class for block in similarity_blocks(embeddings, flat)])


def accuracy_unseen(embeddings: Tensor, labels: Tensor) -> float:
    """A@1/unseen: half of each identity is enrolled, the other half asks who it is.

    In the order of rows the first, third, … sample of an identity is enrolled and the others are probes; the
    prototype is the normalised mean of the enrolled. An identity with one sample is enrolled only.

    Args:
        embeddings: unit `float [N, d]`.
        labels: `int64 [N]`.

    Raises:
        DataError: an embedding is not finite, or no identity has two samples.
    """
    require_finite(embeddings)
    _, identity, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    order = identity.argsort(stable=True)
    first = counts.cumsum(0) - counts
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device) - first[identity[order]]
    probe = place % 2 == 1
    if not probe.any():
        raise DataError(f"no identity among {len(counts)} has two samples, so nobody can be named")
    sums = embeddings.new_zeros(len(counts), embeddings.shape[1])
    sums.index_add_(0, identity[~probe], embeddings[~probe])
    found = nearest_prototype(embeddings[probe], F.normalize(sums, dim=1))
    return int((found == identity[probe]).sum()) / len(found)
