"""One identity that is two people: its images fall into two groups that are not alike."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from facerec.doctor.levels import low_level
from facerec.doctor.people import People


class Mixture(NamedTuple):
    """An identity, the rows of its two groups, the larger one first, the mean similarity across them, and the level
    below which it lies."""

    identity: int
    larger: NDArray[np.int64]
    smaller: NDArray[np.int64]
    similarity: float
    level: float


def find_mixtures(people: People, even: float, expected: float) -> list[Mixture]:
    """Cut each identity of four images or more in two (average linkage); the least alike groups come first.

    The cut is the highest one that leaves two images or more on either side; of one alone see `find_lone`. Most
    identities are one person, so what most groups have between them says how far apart chance drives those of one
    person (`low_level`). Groups further apart are two people if they are also less alike than the pairs
    that could be either (`even`), and each group is more alike in itself.

    Args:
        people: of the data set.
        even: from `even_level`.
        expected: how many identities of one person may be found by chance.
    """
    cuts = [cut for identity in np.flatnonzero(people.counts >= 4).tolist() if (cut := _cut(people, identity))]
    if not cuts:
        return []
    across = np.array([cut.similarity for cut in cuts])
    level = min(low_level(across, expected), even)
    mixtures = [
        cut._replace(level=level)
        for cut in cuts
        if cut.similarity <= level and all(_within(people, group) >= even for group in (cut.larger, cut.smaller))
    ]
    return sorted(mixtures, key=lambda cut: cut.similarity)


def _cut(people: People, identity: int) -> Mixture | None:
    rows = people.rows(identity)
    vectors = people.vectors[rows].astype(np.float64)
    distances = 1 - vectors @ vectors.T
    np.fill_diagonal(distances, 0)
    merges = linkage(squareform(distances, checks=False), "average")
    groups: list[list[int]] = [[place] for place in range(len(rows))]
    for left, right, _, _ in merges:
        groups.append(groups[int(left)] + groups[int(right)])
    for left, right, height, _ in merges[::-1]:
        sides = sorted((groups[int(left)], groups[int(right)]), key=len, reverse=True)
        if len(sides[1]) >= 2:
            larger, smaller = (rows[np.sort(side)] for side in sides)
            return Mixture(identity, larger, smaller, 1 - float(height), np.nan)
    return None


def _within(people: People, rows: NDArray[np.int64]) -> float:
    """Mean similarity of the pairs of these images."""
    total = people.vectors[rows].astype(np.float64).sum(axis=0)
    return float((total @ total - len(rows)) / (len(rows) * (len(rows) - 1)))
