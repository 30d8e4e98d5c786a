"""Compare every sample with every other, a block at a time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2**24  # similarities at once: 64 MiB
_MOST = 10  # persons that one sample is noted to reach, the nearest ones


class Neighbours(NamedTuple):
    """What each of N samples is nearest to; nan, and row -1, where there is nothing to compare with.

    Attributes:
        own: `float32 [N]`, similarity to the nearest other sample of the same person.
        own_row: `int64 [N]`, that sample.
        other: `float32 [N]`, similarity to the nearest sample of another person.
        other_row: `int64 [N]`, that sample.
        reached: `int64 [M, 2]`, sample and another person it reaches; of more than ten the nearest ten.
    """

    own: NDArray[np.float32]
    own_row: NDArray[np.int64]
    other: NDArray[np.float32]
    other_row: NDArray[np.int64]
    reached: NDArray[np.int64]


def compare(vectors: NDArray[np.float32], persons: NDArray[np.int64], threshold: float) -> Neighbours:
    """Find the neighbours of all samples, in O(N²) time and O(N) memory.

    Args:
        vectors: `float32 [N, d]` of unit length.
        persons: `int64 [N]`, numbers of the persons, 0 to P - 1, ascending: a person's samples are neighbours.
        threshold: a person whose nearest sample has at least this similarity is reached.
    """
    count = len(vectors)
    starts = np.flatnonzero(np.diff(persons, prepend=-1))
    ends = np.append(starts[1:], count)
    nothing, nowhere = np.full(count, np.nan, np.float32), np.full(count, -1, np.int64)
    result = Neighbours(nothing, nowhere, nothing.copy(), nowhere.copy(), np.empty((0, 2), np.int64))
    reached = [result.reached]
    step = max(1, _BLOCK // max(count, 1))
    for first in range(0, count, step):
        rows = np.arange(first, min(first + step, count))
        block, places = vectors[rows] @ vectors.T, np.arange(len(rows))
        np.clip(block, -1, 1, out=block)  # rounding may take a sum past 1
        block[places, rows] = -np.inf
        nearest = np.maximum.reduceat(block, starts, axis=1)  # [rows, P]
        own = nearest[places, persons[rows]]
        nearest[places, persons[rows]] = -np.inf
        others = nearest.argmax(axis=1)
        result.own[rows] = np.where(np.isneginf(own), np.nan, own)
        if len(starts) > 1:
            result.other[rows] = nearest[places, others]
        for place, row in enumerate(rows):
            mine, theirs = (slice(starts[person], ends[person]) for person in (persons[row], others[place]))
            if not np.isnan(result.own[row]):
                result.own_row[row] = starts[persons[row]] + block[place, mine].argmax()
            if not np.isnan(result.other[row]):
                result.other_row[row] = starts[others[place]] + block[place, theirs].argmax()
        for place in np.flatnonzero(result.other[rows] >= threshold).tolist():
            candidates = np.flatnonzero(nearest[place] >= threshold)
            candidates = candidates[np.argsort(-nearest[place, candidates], kind="stable")[:_MOST]]
            reached.append(np.column_stack([np.full(len(candidates), rows[place]), candidates]))
    return result._replace(reached=np.concatenate(reached))
