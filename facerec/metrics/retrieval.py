"""MAP@R, P@1 and R-precision: exact, and never an N x N matrix."""

from typing import NamedTuple

import torch
from torch import Tensor

from facerec.errors import DataError
from facerec.metrics.similarity import require_finite, similarity_blocks

_NARROW = 8  # stretches narrower than this are not worth the trouble


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
    require_finite(embeddings)
    _, identity, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    relevant = counts[identity] - 1
    rows = relevant.nonzero().squeeze(1)
    if not len(rows):
        raise DataError(f"no identity among {len(counts)} has two samples, so nothing can be retrieved")
    k = int(relevant.max())
    places = torch.arange(1, k + 1)
    values, start = [], 0
    for similarity in similarity_blocks(embeddings[rows], embeddings, chunk):
        queries = rows[start : start + len(similarity)]
        start += len(similarity)
        similarity.scatter_(1, queries[:, None], -torch.inf)
        # the rest is small, and float64 is not on every device
        same = (identity[_nearest(similarity, k)] == identity[queries, None]).cpu()
        r = relevant[queries, None].cpu()
        hits = (same & (places <= r)).double()
        precision = hits.cumsum(dim=1) / places
        values.append(torch.stack([(precision * hits).sum(1) / r[:, 0], hits[:, 0], hits.sum(1) / r[:, 0]]))
    return PerQuery(rows.cpu(), *torch.cat(values, dim=1))


def retrieval_metrics(embeddings: Tensor, labels: Tensor, *, chunk: int | None = None) -> RetrievalValues:
    """Means over the queries of `retrieval_per_query`, which see.

    >>> vectors = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.8, 0.6], [0.0, 1.0]])
    >>> retrieval_metrics(vectors, torch.tensor([0, 0, 1, 1]))
    RetrievalValues(map_at_r=0.75, precision_at_1=0.75, r_precision=0.75)
    """
    found = retrieval_per_query(embeddings, labels, chunk=chunk)
    return RetrievalValues(*(float(values.mean()) for values in found[1:]))


def _nearest(similarity: Tensor, k: int) -> Tensor:
    """Columns of each row's k largest values, `int64 [rows, k]`, largest first; equals by column."""
    values, nearest = largest(similarity, k + 1)
    nearest = nearest[:, :k].sort(dim=1).values
    # topk takes any of the equals at its edge: where the next value is the same, the choice is made again
    cut = values[:, k - 1] == values[:, k]
    if cut.any():
        nearest[cut] = _first_of_equals(similarity[cut], values[cut, k - 1 : k], k)
    by_value = similarity.gather(1, nearest).argsort(dim=1, descending=True, stable=True)
    return nearest.gather(1, by_value)


def largest(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`topk`, looking only into the k stretches of columns with the largest maxima: it can't be elsewhere.

    Of equals at the edge other ones may be chosen.
    """
    length = similarity.shape[1]
    # about as many stretches as columns in those that are looked into; a power of 2 is read fastest
    width = 1 << (length // k).bit_length() // 2
    if width < _NARROW:
        return similarity.topk(k, dim=1)
    rest = length % width
    stretches = similarity[:, rest:].unflatten(1, (-1, width))
    chosen = stretches.amax(dim=2).topk(k, dim=1).indices.sort(dim=1).values
    columns = (rest + chosen[:, :, None] * width + torch.arange(width, device=similarity.device)).flatten(1)
    columns = torch.cat([torch.arange(rest, device=similarity.device).expand(len(columns), -1), columns], dim=1)
    values, places = similarity.gather(1, columns).topk(k, dim=1)
    return values, columns.gather(1, places)


def _first_of_equals(similarity: Tensor, edge: Tensor, k: int) -> Tensor:
    """Columns of all values above the k-th, `edge`, and of its first equals: k a row, in column order."""
    above, equal = similarity > edge, similarity == edge
    room = k - above.sum(dim=1, keepdim=True)
    chosen = above | (equal & (equal.cumsum(dim=1, dtype=torch.int32) <= room))
    return chosen.nonzero()[:, 1].view(-1, k)
