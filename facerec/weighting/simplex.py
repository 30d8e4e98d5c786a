"""Search the simplex of weights, 0 or above and of sum 1, for those of the highest value."""

from collections.abc import Callable, Iterator
from math import comb

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]

_GRID = 150  # weights that a search starts with, at most
_STARTS = 2  # of the grid, from which it goes on
_STEPS = (1 / 8, 1 / 16, 1 / 32)  # of weight that goes from one to another; finer is the noise of 1,000 images


def search(value: Callable[[Weights], float], count: int) -> Weights:
    """Weights of the highest value; of equally good ones those of the fewest members."""

    def rank(weights: Weights) -> tuple[float, int, float]:
        return round(float(value(weights)), 9), -int(np.count_nonzero(weights)), -float(np.square(weights).sum())

    parts = max(parts for parts in (1, 2, 3, 4) if parts == 1 or comb(parts + count - 1, parts) <= _GRID)
    grid = [np.full(count, 1 / count), *(np.array(point) / parts for point in _compositions(parts, count))]
    summits = []
    for best in sorted(grid, key=rank, reverse=True)[:_STARTS]:
        for step in _STEPS:
            while rank(better := max(_moved(best, step), key=rank)) > rank(best):
                best = better
        summits.append(best)
    return max(summits, key=rank)


def _moved(weights: Weights, step: float) -> Iterator[Weights]:
    """Weights with a step, or what is left, moved from one member to another."""
    for giver in np.flatnonzero(weights):
        for taker in range(len(weights)):
            if taker != giver:
                moved = weights.copy()
                moved[taker] += (given := min(step, moved[giver]))
                moved[giver] -= given
                yield moved


def _compositions(total: int, count: int) -> Iterator[tuple[int, ...]]:
    """All ways to write `total` as a sum of `count` numbers, 0 or above."""
    if count == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, count - 1):
            yield (first, *rest)


def without(weights: Weights, member: int) -> Weights:
    """The same shares for all but one, which gets 0."""
    rest = weights.copy()
    rest[member] = 0
    rest /= rest.sum()
    return rest
