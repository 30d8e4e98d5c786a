"""MAP@R, P@1 and R-precision: exact, and never an N x N matrix."""

from typing import NamedTuple

import torch
from torch import Tensor

from facerec.errors import DataError

_CHUNK_BYTES = 64 * 2**20


class PerQuery(NamedTuple):
    """For each query, `[Q]`: its row, and `float64` values of the three metrics."""

    rows: Tensor
    map_at_r: Tensor
    precision_at_1: Tensor
    r_precision: Tensor


class RetrievalValues(NamedTuple):
    """Means over the queries."""

    map_at_r: float
    precision_at_1: float
    r_precision: float


def retrieval_per_query(embeddings: Tensor, labels: Tensor, *, chunk: int | None = None) -> PerQuery:
    """Rank all other samples for each sample (Musgrave et al., arXiv 2003.08505).

    With R the number of other samples of the query's identity and P(i) the precision among the first i,
    MAP@R = 1/R · Σ_{i ≤ R} P(i)·rel(i), R-precision = P(R), P@1 = rel(1). The query itself is left out.
    Identities with a single sample are no queries but stay among the ranked. Equal similarities rank in
    the order of rows.

    Args:
        embeddings: `float [N, d]`; similarity is the dot product.
        labels: `int64 [N]`.
        chunk: queries ranked at a time; by default what fills 64 MiB.

    Raises:
        DataError: an embedding is not finite, or no identity has two samples.
    """
    if bad := int((~embeddings.isfinite().all(dim=1)).sum()):
        raise DataError(f"{bad} of {len(embeddings)} embeddings are not finite")
    _, identity, counts = labels.unique(return_inverse=True, return_counts=True)
    relevant = counts[identity] - 1
    rows = relevant.nonzero().squeeze(1)
    if not len(rows):
        raise DataError(f"no identity among {len(counts)} has two samples, so nothing can be retrieved")
    k = int(relevant.max())
    places = torch.arange(1, k + 1, device=labels.device)
    chunk = chunk or max(1, _CHUNK_BYTES // (embeddings.element_size() * len(embeddings)))
    values = []
    for queries in rows.split(chunk):
        nearest = _nearest(embeddings, queries, k)
        r = relevant[queries, None]
        hits = ((identity[nearest] == identity[queries, None]) & (places <= r)).double()
        precision = hits.cumsum(dim=1) / places
        values.append(torch.stack([(precision * hits).sum(1) / r[:, 0], hits[:, 0], hits.sum(1) / r[:, 0]]))
    return PerQuery(rows, *torch.cat(values, dim=1))


def retrieval_metrics(embeddings: Tensor, labels: Tensor, *, chunk: int | None = None) -> RetrievalValues:
    """Means over the queries of `retrieval_per_query`, which see.

    >>> vectors = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.8, 0.6], [0.0, 1.0]])
    >>> retrieval_metrics(vectors, torch.tensor([0, 0, 1, 1]))
    RetrievalValues(map_at_r=0.75, precision_at_1=0.75, r_precision=0.75)
    """
    found = retrieval_per_query(embeddings, labels, chunk=chunk)
    return RetrievalValues(*(float(values.mean()) for values in found[1:]))


def _nearest(embeddings: Tensor, queries: Tensor, k: int) -> Tensor:
    """Rows of the k most similar others, `int64 [len(queries), k]`; ties in the order of rows."""
    similarity = embeddings[queries] @ embeddings.T
    similarity[torch.arange(len(queries), device=queries.device), queries] = -torch.inf
    values, nearest = similarity.topk(k, dim=1)
    # topk orders equals as it likes: sort by row, then stably by value
    nearest, by_row = nearest.sort(dim=1)
    by_value = values.gather(1, by_row).argsort(dim=1, descending=True, stable=True)
    nearest = nearest.gather(1, by_value)
    # and it picks any of the equals at its edge: such queries, rare in real data, are sorted whole
    cut = (similarity >= values[:, -1:]).sum(dim=1) > k
    if cut.any():
        nearest[cut] = similarity[cut].argsort(dim=1, descending=True, stable=True)[:, :k]
    return nearest
