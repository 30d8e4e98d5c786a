"""Identities that are one person: their images are as alike across the two as those of one person."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from facerec.doctor.levels import Highest, chance_level, tail_size
from facerec.doctor.people import People
from facerec.metrics.similarity import similarity_blocks

_FEW = 1000  # pairs: a class of sizes with fewer joins its neighbour


class Link(NamedTuple):
    """Two identities, the mean similarity of all pairs of images across them, and the level that it exceeds."""

    left: int
    right: int
    similarity: float
    level: float


def find_links(people: People, expected: float, against: People | None = None) -> list[Link]:
    """Compare all identities with each other, or with those of another data set; the most alike come first.

    A mean over few pairs scatters more, so pairs of identities are judged among those whose smaller one has about
    as many images. A level is `chance_level`, and no lower than the mean similarity that 19 of 20 identities of
    that size have between their own images.

    Args:
        people: of the data set.
        expected: how many pairs of different people may be found by chance.
        against: of the other data set, to which `right` belongs then.
    """
    others = against or people
    sizes = size_classes(people.counts, None if against is None else against.counts)
    smallest = torch.from_numpy(people.counts), torch.from_numpy(others.counts)
    columns, start = torch.arange(len(others.names)), 0
    highest = [Highest(tail_size(size.pairs)) for size in sizes]
    for block in similarity_blocks(torch.from_numpy(people.means), torch.from_numpy(others.means)):
        counted = smallest[0][start : start + len(block), None].minimum(smallest[1])
        wanted = torch.ones_like(block, dtype=torch.bool)
        if against is None:
            wanted = columns > torch.arange(start, start + len(block))[:, None]
        for size, kept in zip(sizes, highest, strict=True):
            kept.add(block, wanted & (counted >= size.least) & (counted <= size.most), start)
        start += len(block)
    links = []
    for size, kept in zip(sizes, highest, strict=True):
        level = max(chance_level(kept.values, size.pairs, expected / len(sizes)), _alike(people, size))
        above = kept.values >= level
        pairs = zip(kept.places[above].tolist(), kept.values[above].tolist(), strict=True)
        links += [Link(left, right, similarity, level) for (left, right), similarity in pairs]
    return sorted(links, key=lambda link: -link.similarity)


class SizeClass(NamedTuple):
    """Pairs of identities whose smaller one has `least` to `most` images."""

    least: int
    most: int
    pairs: int


def size_classes(counts: NDArray[np.int64], others: NDArray[np.int64] | None = None) -> Sequence[SizeClass]:
    """Classes by powers of two, each of a thousand pairs or more if there are so many.

    Args:
        counts: `int64 [C]`, images of each identity.
        others: of those of another data set; None: pairs are within the first.
    """
    highest = int(min(counts.max(), (counts if others is None else others).max()))
    classes: list[SizeClass] = []
    most = highest
    for power in reversed(range(highest.bit_length())):
        least = 2**power
        pairs = _pairs(counts, others, least) - _pairs(counts, others, most + 1)
        if pairs >= _FEW or power == 0:
            classes.append(SizeClass(least, most, pairs))
            most = least - 1
    if len(classes) > 1 and classes[-1].pairs < _FEW:  # too few to tell alone
        few, next_larger = classes.pop(), classes.pop()
        classes.append(SizeClass(few.least, next_larger.most, few.pairs + next_larger.pairs))
    return classes[::-1]


def _alike(people: People, size: SizeClass) -> float:
    """The mean similarity that 19 of 20 identities of this size reach; of all sizes where there are few."""
    similar = (people.counts >= max(2, size.least)) & (people.counts <= max(2, size.most))
    own = people.within[similar if similar.sum() >= 20 else people.counts >= 2]
    return float(np.quantile(own, 0.05)) if len(own) else -1.0


def _pairs(counts: NDArray[np.int64], others: NDArray[np.int64] | None, least: int) -> int:
    """Number of pairs of identities that both have `least` images or more."""
    left = int((counts >= least).sum())
    return left * (left - 1) // 2 if others is None else left * int((others >= least).sum())
