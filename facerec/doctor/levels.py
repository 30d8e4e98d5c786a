"""How alike is too alike for chance: levels from the data's own similarities, for many comparisons at once."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from torch import Tensor

from facerec.metrics.pairs import GRID, PairHistograms

_FEWEST = 20  # comparisons, of which a tail can be told
_TAIL = 1000


def tail_size(comparisons: int) -> int:
    """How many of the highest similarities of so many comparisons `chance_level` looks at; 0: too few to tell."""
    return 0 if comparisons < _FEWEST else min(_TAIL, max(_FEWEST, comparisons // 8))


def chance_level(highest: NDArray[np.floating], comparisons: int, expected: float) -> float:
    """The similarity that chance exceeds `expected` times, judged by the highest values of all comparisons.

    The tail is taken for that of the normal distribution that has the lowest of these values and their median where
    they are. The median hardly moves if some of the values are what is looked for.

    Args:
        highest: `float [K]`, the highest similarities, all others lie below; K from `tail_size`.
        comparisons: how many similarities there are in all.
        expected: number of comparisons of different people that may lie above.

    Returns:
        The level; infinity where there are too few values to tell.
    """
    if len(highest) < _FEWEST:
        return float("inf")
    lowest, median = float(np.min(highest)), float(np.median(highest))
    share = len(highest) / (comparisons + 1)
    places = norm.isf([share, share / 2, min(share / 2, expected / comparisons)])
    return lowest + (median - lowest) * float((places[2] - places[0]) / (places[1] - places[0]))


def low_level(values: NDArray[np.floating], expected: float) -> float:
    """The value that `expected` of these would lie below if they were normal, with their median and lower quartile.

    Half of the values below the median may be something else before that moves the level far.
    """
    if len(values) < _FEWEST:
        return float("-inf")
    quartile, median = np.quantile(values, [0.25, 0.5])
    deviation = (median - quartile) / norm.isf(0.25)
    return float(median - deviation * norm.isf(min(0.5, expected / len(values))))


def even_level(pairs: PairHistograms) -> float:
    """The threshold of the equal error rate: a pair there is as often of one person as of two."""
    missed = pairs.genuine.cumsum() / pairs.genuine.sum()
    accepted = 1 - pairs.impostor.cumsum() / pairs.impostor.sum()
    return float(GRID[np.abs(missed - accepted).argmin()])


class Highest:
    """The highest of the values that pass by in blocks, with their rows and columns.

    Args:
        count: how many are kept.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._values, self._places = torch.empty(0), torch.empty(0, 2, dtype=torch.int64)

    def add(self, block: Tensor, wanted: Tensor, first_row: int) -> None:
        """Look at a block.

        Args:
            block: `float [R, C]`.
            wanted: `bool [R, C]`, which of its values count.
            first_row: number of its first row.
        """
        if self._count and len(self._values) == self._count:
            wanted = wanted & (block > self._values[-1])
        places = wanted.nonzero()
        values = torch.cat([self._values, block[wanted]])
        places[:, 0] += first_row
        best = values.topk(min(self._count, len(values))).indices
        self._values, self._places = values[best], torch.cat([self._places, places])[best]

    @property
    def values(self) -> NDArray[np.float32]:
        """`float32 [K]`, highest first."""
        values: NDArray[np.float32] = self._values.numpy()
        return values

    @property
    def places(self) -> NDArray[np.int64]:
        """`int64 [K, 2]`, row and column of each."""
        places: NDArray[np.int64] = self._places.numpy()
        return places
