"""Histograms of the similarities of all genuine and all impostor pairs, without an N x N matrix."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from facerec.errors import DataError
from facerec.metrics.similarity import require_finite, similarity_blocks

_UNIT = 2**16  # fine steps between similarity 0 and 1
_SHIFT = 7
_RATIO = 2**_SHIFT  # fine steps in a coarse one
_BINS = 2 * _UNIT + 1
_COARSE_BINS = 2 * _UNIT // _RATIO + 1
_LEFT_OUT = _BINS - 1 + _RATIO  # a place just past both grids, for what is no pair

GRID: NDArray[np.float64] = np.arange(-_UNIT, _UNIT + 1) / _UNIT
"""Similarities of the fine bins, `float64 [131073]`: from -1 to 1 in steps of 2^-16."""

COARSE_GRID: NDArray[np.float64] = GRID[::_RATIO]
"""Similarities of the coarse bins, `float64 [1025]`: from -1 to 1 in steps of 2^-9."""


class PairHistograms(NamedTuple):
    """Numbers of unordered pairs by similarity; C identities are in the order of their labels.

    Attributes:
        genuine: `int64 [131073]`, pairs of one identity on `GRID`.
        impostor: `int64 [131073]`, pairs of two identities on `GRID`.
        genuine_of: `int64 [C, 1025]`, pairs within each identity on `COARSE_GRID`.
        impostor_of: `int64 [C, 1025]`, pairs of each identity with any other on `COARSE_GRID`; a pair is
            counted for both of its identities.
    """

    genuine: NDArray[np.int64]
    impostor: NDArray[np.int64]
    genuine_of: NDArray[np.int64]
    impostor_of: NDArray[np.int64]


def pair_histograms(embeddings: Tensor, labels: Tensor, *, chunk: int | None = None) -> PairHistograms:
    """Count all unordered pairs of samples, on the device of the embeddings.

    A similarity is rounded to the nearest point of `GRID`, after clamping to -1..1, and from there to
    `COARSE_GRID`. Every figure derived from the counts is exact for the similarities so rounded.

    Args:
        embeddings: unit `float [N, d]`; similarity is the dot product.
        labels: `int64 [N]`.
        chunk: rows compared at a time; by default what fills 16 MiB, or as many similarities as
            `impostor_of` has counters if those are more.

    Raises:
        DataError: an embedding is not finite, no identity has two samples, or there is one identity only.
    """
    require_finite(embeddings)
    names, identity, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    if len(names) == len(labels):
        raise DataError(f"no identity among {len(names)} has two samples, so there is no genuine pair")
    if len(names) == 1:
        raise DataError(f"all {len(labels)} samples are of one identity, so there is no impostor pair")
    # samples of an identity side by side: genuine pairs lie in a narrow band, and counters stay in the cache
    identity, order = identity.sort(stable=True)
    embeddings, identity, ends = embeddings[order], identity.int(), counts.cumsum(0)
    # one coarse bin more takes what is left out
    width = _COARSE_BINS + 1
    fine_all, fine_genuine = identity.new_zeros(2, _LEFT_OUT + 1, dtype=torch.int64)
    ends_all, genuine_of = identity.new_zeros(2, len(names) * width, dtype=torch.int64)
    # small blocks stay in the cache, but each adds up all counters
    block = max(2**22, len(ends_all))
    start = 0
    while start < len(identity) - 1:
        remaining, columns = embeddings[start:], identity[start:]
        height = chunk or max(1, block // len(remaining))
        fine = _fine_bins(next(similarity_blocks(remaining, remaining, height)))
        rows = columns[: len(fine), None]
        coarse = fine.add(_RATIO // 2).bitwise_right_shift_(_SHIFT)
        of_row = coarse + rows * width
        of_column = coarse.add_(columns * width)
        near = int(ends[rows[-1]]) - start
        same = rows == columns[:near]
        fine_all += _count(fine, fine_all)
        fine_genuine += _count(fine[:, :near].masked_select(same), fine_genuine)
        ends_all += _count(of_row, ends_all) + _count(of_column, ends_all)
        genuine_of += _count(of_row[:, :near].masked_select(same), genuine_of)
        start += len(fine)
    per_identity = [counts.view(-1, width)[:, :_COARSE_BINS] for counts in (genuine_of, ends_all - 2 * genuine_of)]
    per_bin = [counts[:_BINS] for counts in (fine_genuine, fine_all - fine_genuine)]
    return PairHistograms(*(counts.cpu().numpy() for counts in (*per_bin, *per_identity)))


def listed_pair_histograms(similarity: ArrayLike, same: ArrayLike, identities: ArrayLike) -> PairHistograms:
    """Count the pairs of a list, with similarities rounded as `pair_histograms` rounds them.

    Args:
        similarity: `float [P]`, cosines.
        same: `bool [P]`, whether a pair is genuine.
        identities: `int [P, 2]`, who is in the two images of a pair.

    Raises:
        DataError: a similarity is not finite, or there is no genuine or no impostor pair.
    """
    similarity, same = np.asarray(similarity, np.float64), np.asarray(same, dtype=bool)
    if not np.isfinite(similarity).all():
        raise DataError("a similarity is not finite")
    if same.all() or not same.any():
        missing = "impostor" if same.any() else "genuine"
        raise DataError(f"there is no {missing} pair among {len(same)}")
    names, place = np.unique(np.asarray(identities), return_inverse=True)
    places = place.reshape(-1, 2)
    fine = (np.rint(similarity * _UNIT).clip(-_UNIT, _UNIT) + _UNIT).astype(np.int64)
    cells = places * _COARSE_BINS + ((fine + _RATIO // 2) >> _SHIFT)[:, None]
    size = len(names) * _COARSE_BINS
    per_identity = (
        np.bincount(counted, minlength=size).reshape(-1, _COARSE_BINS)
        for counted in (cells[same, 0], cells[~same].ravel())
    )
    per_bin = (np.bincount(fine[rows], minlength=_BINS) for rows in (same, ~same))
    return PairHistograms(*per_bin, *per_identity)


def _fine_bins(similarity: Tensor) -> Tensor:
    """Places on `GRID`, `int32`, of a block whose row i is the sample of column i; each pair once."""
    # scaling by a power of two is exact, so the rounding is the only one
    bins = similarity.mul_(_UNIT).round_().clamp_(-_UNIT, _UNIT).add_(_UNIT).int()
    square = bins[:, : len(bins)]
    square.masked_fill_(torch.ones_like(square, dtype=torch.bool).tril(), _LEFT_OUT)
    return bins


def _count(places: Tensor, counters: Tensor) -> Tensor:
    return torch.bincount(places.flatten(), minlength=len(counters))
