"""MAP@R, P@1 and R-precision, exact and without an N x N matrix."""

from typing import NamedTuple

import torch
from torch import Tensor

from facerec.errors import DataError
from facerec.metrics.ranks import wrong_before
from facerec.metrics.similarity import require_finite


class PerQuery(NamedTuple):
    """For each query, `[Q]` on the CPU: its row, and `float64` values of the three metrics."""

    rows: Tensor
    map_at_r: Tensor
    precision_at_1: Tensor
    r_precision: Tensor


class RetrievalValues(NamedTuple):
    """Means over the queries."""

    map_at_r: float
    precision_at_1: float
    r_precision: float


def retrieval_per_query(embeddings: Tensor, labels: Tensor, *, block: int | None = None) -> PerQuery:
    """Rank all other samples for each sample (Musgrave et al., arXiv 2003.08505).

    With R the number of other samples of the query's identity and P(i) the precision among the first i,
    MAP@R = 1/R · Σ_{i ≤ R} P(i)·rel(i), R-precision = P(R), P@1 = rel(1). The query itself is left out.
    Identities with a single sample are no queries but stay among the ranked. Of equal similarities those to
    other identities rank first: what a model can't tell apart is no success.

    Args:
        embeddings: `float [N, d]`; similarity is the dot product.
        labels: `int64 [N]`.
        block: samples compared at a time, a multiple of 8; by default 1,024 on a CPU and 8,192 elsewhere.

    Raises:
        DataError: an embedding is not finite, or no identity has two samples.
    """
    require_finite(embeddings)
    order = labels.argsort(stable=True)
    _, sizes = torch.unique_consecutive(labels[order], return_counts=True)
    if sizes.max() < 2:
        raise DataError(f"no identity among {len(sizes)} has two samples, so nothing can be retrieved")
    there = torch.device("cuda" if embeddings.is_cuda else "cpu")  # float64 is not on every device
    relevant = (sizes - 1).repeat_interleave(sizes).to(there)
    parts, at = [], 0
    for wrong in wrong_before(embeddings[order], sizes, block):
        r = relevant[at : at + len(wrong)]
        at += len(wrong)
        parts.append(retrieval_of_ranks(wrong.to(there), r))
    rows, queries = order.to(there)[relevant > 0].sort()
    return PerQuery(rows.cpu(), *torch.cat(parts, dim=1)[:, relevant > 0][:, queries].cpu())


def retrieval_of_ranks(wrong: Tensor, relevant: Tensor) -> Tensor:
    """MAP@R, P@1 and R-precision of each query: `float64 [3, Q]`, NaN for those without relevant samples.

    Args:
        wrong: `int [Q, P]`, how many wrong samples rank before the i-th right one, see `wrong_before`.
        relevant: `int64 [Q]`, R of each query.
    """
    place = torch.arange(wrong.shape[1], device=wrong.device)
    rank = place + wrong  # of each right sample, from 0
    hits = (rank < relevant[:, None]).double()
    precision = (hits * (place + 1) / (rank + 1)).sum(dim=1)
    first = (rank[:, 0] == 0).double()
    return torch.stack([precision / relevant, first, hits.sum(dim=1) / relevant])


def retrieval_metrics(embeddings: Tensor, labels: Tensor, *, block: int | None = None) -> RetrievalValues:
    """Means of `retrieval_per_query` over the queries.

    >>> vectors = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.8, 0.6], [0.0, 1.0]])
    >>> retrieval_metrics(vectors, torch.tensor([0, 0, 1, 1]))
    RetrievalValues(map_at_r=0.75, precision_at_1=0.75, r_precision=0.75)
    """
    queries = retrieval_per_query(embeddings, labels, block=block)
    return RetrievalValues(*(float(values.mean()) for values in queries[1:]))
