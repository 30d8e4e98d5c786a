"""Images that are somebody else's: far from their identity's others, near to another's or to nobody's."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from facerec.doctor.levels import Highest, chance_level, low_level, tail_size
from facerec.doctor.linking import size_classes
from facerec.doctor.people import People
from facerec.metrics.similarity import similarity_blocks


class Stranger(NamedTuple):
    """An image, its mean similarity to the others of its identity, the identity that it is nearest to, its mean
    similarity to those images, and the level that this exceeds."""

    row: int
    own: float
    identity: int
    similarity: float
    level: float


def find_strangers(
    people: People, even: float, expected: float, linked: Sequence[tuple[int, int]] = ()
) -> list[Stranger]:
    """Look for where the images belong that are far from their own; those nearest to another identity come first.

    Args:
        people: of the data set.
        even: from `even_level`: below it, an image is rather of another person than the rest of its identity.
        expected: how many images may be found by chance.
        linked: identities that are one person: there, an image is at home in both.
    """
    far = people.own < even  # NaN, of an image alone, is not
    if not far.any():
        return []
    count, labels, counts = len(people.names), torch.from_numpy(people.labels), torch.from_numpy(people.counts)
    sizes = size_classes(np.full(len(far), people.counts.max()), people.counts)
    highest = [Highest(tail_size(size.pairs)) for size in sizes]
    nearest: list[list[tuple[int, float, int]]] = [[] for _ in sizes]
    start = 0
    for block in similarity_blocks(torch.from_numpy(people.vectors), torch.from_numpy(people.means)):
        own = labels[start : start + len(block)]
        others = own[:, None] != torch.arange(count)
        for left, right in linked:
            others[own == left, right] = others[own == right, left] = False
        rows = np.flatnonzero(far[start : start + len(block)])
        for size, kept, candidates in zip(sizes, highest, nearest, strict=True):
            wanted = others & ((counts >= size.least) & (counts <= size.most))
            kept.add(block, wanted, start)
            best = block[rows].masked_fill(~wanted[rows], -2).max(dim=1)
            candidates += zip((rows + start).tolist(), best.values.tolist(), best.indices.tolist(), strict=True)
        start += len(block)
    strangers: dict[int, Stranger] = {}
    for size, kept, candidates in zip(sizes, highest, nearest, strict=True):
        # the tail is that of all images, of which only the far ones are asked
        level = chance_level(kept.values, size.pairs, expected / len(sizes) / far.mean())
        for row, similarity, identity in candidates:
            if similarity >= level and (row not in strangers or similarity > strangers[row].similarity):
                strangers[row] = Stranger(row, float(people.own[row]), identity, similarity, level)
    return sorted(strangers.values(), key=lambda stranger: -stranger.similarity)


class Lone(NamedTuple):
    """An image, its mean similarity to the others of its identity, theirs to each other, the former's level."""

    row: int
    own: float
    others: float
    level: float


def find_lone(people: People, even: float, expected: float) -> list[Lone]:
    """Images far from three others or more that are alike; those that stand out most come first.

    They may be somebody who is not in the data set, and they may be bad photos of the same person, which are far
    from everybody: how many is not known, so that `expected` holds of good photos only.

    Args:
        people: of the data set.
        even: from `even_level`: an image is below it, its others are above it among themselves.
        expected: how many may be found by chance, if similarities to the others of an identity are normal.
    """
    counts = people.counts[people.labels]
    pairs, rest = counts * (counts - 1) / 2, counts - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        others = (people.within[people.labels] * pairs - people.own * rest) / (pairs - rest)
    asked = np.flatnonzero(counts >= 4)
    gaps = people.own[asked] - others[asked]
    level = low_level(gaps, expected) if len(asked) else float("-inf")
    rows = asked[(gaps <= level) & (people.own[asked] < even) & (others[asked] >= even)]
    lone = [Lone(row, people.own[row], others[row], min(even, others[row] + level)) for row in rows.tolist()]
    return sorted(lone, key=lambda image: image.own - image.others)
