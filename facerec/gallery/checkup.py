"""What is doubtful in a gallery, and how often it will be wrong: each sample is left out once and searched for."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facerec.gallery.neighbours import Neighbours, compare

_COPY = 0.9  # of the way from the threshold of a pair to 1: copies of one photo lie above, see docs/gallery.md
_DRAWS = 2000  # of a bootstrap


class PersonPair(NamedTuple):
    """Two persons with samples that a search takes for the other's.

    Attributes:
        persons: their numbers, the lower one first.
        rows: the two samples that are most alike, one of each.
        similarity: of these two.
        shares: of each one's samples, the share that reaches the other, 0..1.
    """

    persons: tuple[int, int]
    rows: tuple[int, int]
    similarity: float
    shares: tuple[float, float]


class Rate(NamedTuple):
    """A share of searches, with its 95 % interval over persons.

    Attributes:
        value: 0..1.
        low, high: limits of the interval.
        searches, persons: how many it was measured on.
    """

    value: float
    low: float
    high: float
    searches: int
    persons: int


class Checkup(NamedTuple):
    """The findings. Numbers of samples and persons are those of the arrays that were given to `check_up`.

    Attributes:
        threshold: that a search was held to.
        neighbours: of every sample.
        doubles: pairs most of whose samples, on both sides, reach the other: one person enrolled twice?
        alike: other pairs that are too alike to be told apart at the asked rate.
        nearer: samples that are nearer to somebody else than to their own person, the clearest first.
        unlike: other samples that don't look like their own person.
        copies: two samples of one person that come from one photo.
        few: persons with fewer than two good samples, and how many good ones each has.
        misses: searches for an enrolled person that do not name them; None if everybody has a single sample.
        named: searches by a stranger that name somebody; None with fewer than two persons. Doubles are left out.
        named_with_doubles: the same if the doubles are different people; None without doubles.
    """

    threshold: float
    neighbours: Neighbours
    doubles: list[PersonPair]
    alike: list[PersonPair]
    nearer: NDArray[np.int64]
    unlike: NDArray[np.int64]
    copies: list[tuple[int, int]]
    few: dict[int, int]
    misses: Rate | None
    named: Rate | None
    named_with_doubles: Rate | None


def check_up(
    vectors: NDArray[np.float32],
    persons: NDArray[np.int64],
    *,
    threshold: float,
    pair_threshold: float,
    small: NDArray[np.bool_] | None = None,
) -> Checkup:
    """Leave each sample out once, and search for it among the others.

    Args:
        vectors: `float32 [N, d]` of unit length.
        persons: `int64 [N]`, numbers of the persons, 0 to P - 1, ascending.
        threshold: a search accepts a similarity of at least this.
        pair_threshold: so does the comparison of one pair; a sample below does not look like its person.
        small: `bool [N]`, faces that are too small to be good samples; None: none.
    """
    near = compare(vectors, persons, threshold)
    good = ~(near.own < pair_threshold) & ~(np.zeros(len(persons), bool) if small is None else small)
    closer = near.other > near.own  # false where one of them is nan
    pairs = _pairs(vectors, persons, near)
    doubles = [pair for pair in pairs if min(pair.shares) > 0.5]
    partners = {(a, b) for pair in doubles for a, b in (pair.persons, pair.persons[::-1])}
    to_double = np.array(
        [(a, persons[row]) in partners for a, row in zip(persons, near.other_row, strict=True)], bool
    )
    nearer = np.flatnonzero(closer & ~to_double)
    # two persons that only misplaced samples connect are no pair: those samples are findings of their own
    clean = _pairs(vectors, persons, near, without=set(nearer.tolist()))
    searched = ~np.isnan(near.own)
    named = near.other >= threshold
    single = ~np.isin(persons, [person for pair in doubles for person in pair.persons])
    linked = _linked(persons, near.reached)
    enough = len(persons) > 0 and persons[-1] > 0
    good_ones = np.bincount(persons, good)
    return Checkup(
        threshold=threshold,
        neighbours=near,
        doubles=doubles,
        alike=[pair for pair in clean if pair.persons not in {double.persons for double in doubles}],
        nearer=nearer[np.argsort((near.own - near.other)[nearer], kind="stable")],
        unlike=np.flatnonzero((near.own < pair_threshold) & ~closer),
        copies=_copies(near, pair_threshold),
        few={person: int(count) for person, count in enumerate(good_ones) if count < 2},
        misses=_rate((closer & ~to_double) | (near.own < threshold), persons, searched),
        named=_rate(named, persons, single, linked) if enough else None,
        named_with_doubles=_rate(named, persons, np.ones_like(single), linked) if enough and doubles else None,
    )


def _pairs(
    vectors: NDArray[np.float32],
    persons: NDArray[np.int64],
    near: Neighbours,
    without: set[int] = frozenset(),  # type: ignore[assignment]
) -> list[PersonPair]:
    """Persons of whom samples, other than `without`, reach the other, on both sides; the most alike first."""
    reaching: dict[tuple[int, int], list[int]] = {}
    for row, other in near.reached.tolist():
        if row not in without:
            reaching.setdefault((int(persons[row]), other), []).append(row)
    sizes, pairs = np.bincount(persons), []
    for (a, b), rows in reaching.items():
        if a < b and (others := reaching.get((b, a))):
            similar = vectors[rows] @ vectors[others].T
            i, j = np.unravel_index(similar.argmax(), similar.shape)
            shares = (len(rows) / sizes[a], len(others) / sizes[b])
            best = (rows[i], others[j])
            pairs.append(
                PersonPair((a, b), best, min(1.0, float(similar[i, j])), (float(shares[0]), float(shares[1])))
            )
    return sorted(pairs, key=lambda pair: -pair.similarity)


def _copies(near: Neighbours, pair_threshold: float) -> list[tuple[int, int]]:
    level = pair_threshold + _COPY * (1 - pair_threshold)
    rows = np.flatnonzero(near.own >= level).tolist()
    return sorted({(min(row, other), max(row, other)) for row in rows for other in [int(near.own_row[row])]})


def _linked(persons: NDArray[np.int64], reached: NDArray[np.int64]) -> NDArray[np.int64]:
    """`int64 [P]`, a number for each person, the same for those who are taken for each other, directly or not."""
    groups = np.arange(persons[-1] + 1 if len(persons) else 0)
    ends = np.column_stack([persons[reached[:, 0]], reached[:, 1]])
    while True:
        lowest = groups.copy()
        for left, right in (ends.T, ends.T[::-1]):
            np.minimum.at(lowest, left, groups[right])
        if (lowest == groups).all():
            return groups
        groups = lowest[lowest]


def _rate(
    events: NDArray[np.bool_],
    persons: NDArray[np.int64],
    searched: NDArray[np.bool_],
    linked: NDArray[np.int64] | None = None,
) -> Rate | None:
    """The share of events, with a percentile bootstrap over persons: samples of one person are not independent.

    Where all searches agree, all draws do too; then the limit is the exact one of so many persons (Clopper and
    Pearson 1934).

    Args:
        events: `bool [N]`.
        persons: `int64 [N]`, whose each search is.
        searched: `bool [N]`, searches that count.
        linked: `int64 [P]`, persons of one number are drawn together, since A is taken for B as B is for A; None:
            each by themselves.
    """
    units = persons if linked is None else linked[persons]
    counts = np.bincount(units, searched).astype(np.int64)
    sums = np.bincount(units, events & searched).astype(np.int64)[counts > 0]
    counts = counts[counts > 0]
    if not len(counts):
        return None
    people = len(np.unique(persons[searched]))
    value, open_end = float(sums.sum() / counts.sum()), 1 - 0.025 ** (1 / people)
    # units of equal counts are drawn together: a draw is as large as there are kinds of units
    kinds, sizes = np.unique(np.column_stack([sums, counts]), axis=0, return_counts=True)
    draws = np.random.default_rng(0).multinomial(len(counts), sizes / len(counts), _DRAWS) @ kinds
    low, high = np.quantile(draws[:, 0] / draws[:, 1], [0.025, 0.975])
    return Rate(
        value,
        1 - open_end if value == 1 else float(low),
        open_end if value == 0 else float(high),
        int(counts.sum()),
        people,
    )
