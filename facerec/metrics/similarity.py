"""Dot products of many vectors in full precision, a bounded number of rows at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

from facerec.errors import DataError

_BLOCK_BYTES = 64 * 2**20


@torch.no_grad()
def similarity_blocks(queries: Tensor, references: Tensor, rows: int | None = None) -> Iterator[Tensor]:
    """Yield `queries @ references.T` in blocks of rows, float32 at least, also under autocast.

    All blocks live in one buffer (fresh pages for each would cost a third of the time): use a block before
    asking for the next.

    Args:
        queries: `float [Q, d]`.
        references: `float [N, d]`.
        rows: rows in a block; by default what fills 64 MiB.
    """
    dtype = torch.promote_types(references.dtype, torch.float32)
    queries, references = queries.to(dtype), references.to(dtype)
    rows = rows or max(1, _BLOCK_BYTES // (references.element_size() * len(references)))
    buffer = references.new_empty(min(rows, len(queries)), len(references))
    for part in torch.split(queries, rows):
        # autocast leaves calls with `out` alone: they keep the precision of their arguments
        yield torch.mm(part, references.T, out=buffer[: len(part)])


def require_finite(embeddings: Tensor) -> None:
    """Raise a DataError that counts the rows of `[N, d]` with NaN or infinity."""
    if bad := int((~embeddings.isfinite().all(dim=1)).sum()):
        raise DataError(f"{bad} of {len(embeddings)} embeddings are not finite")
