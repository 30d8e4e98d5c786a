"""How well groups of faces agree with who the faces are of."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Agreement(NamedTuple):
    """How many of those who were put together belong together, and the reverse.

    Attributes:
        precision: share of what is together that belongs together, 0..1.
        recall: share of what belongs together that is together, 0..1.
    """

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def pairwise_agreement(people: NDArray[np.generic], groups: NDArray[np.generic]) -> Agreement:
    """Over all pairs of faces; 1 where there are no pairs to judge.

    Args:
        people: `[N]`, whose each face is.
        groups: `[N]`, in which group it was put.

    >>> pairwise_agreement(np.array(["a", "a", "b"]), np.array([0, 0, 0]))
    Agreement(precision=0.3333333333333333, recall=1.0)
    """
    both, _, of_person, of_group = _counts(people, groups)
    right = _pairs(both)
    return Agreement(_share(right, _pairs(of_group)), _share(right, _pairs(of_person)))


def b_cubed(people: NDArray[np.generic], groups: NDArray[np.generic]) -> Agreement:
    """The means over all faces of each face's own precision and recall, itself counted (Bagga and Baldwin 1998).

    Args:
        people: `[N]`, whose each face is; one at least.
        groups: `[N]`, in which group it was put.

    >>> [round(value, 3) for value in b_cubed(np.array(["a", "a", "b"]), np.array([0, 0, 0]))]
    [0.556, 1.0]
    """
    both, (person, group), of_person, of_group = _counts(people, groups)
    squares = both.astype(float) ** 2
    total = both.sum()
    return Agreement(
        float((squares / of_group[group]).sum() / total), float((squares / of_person[person]).sum() / total)
    )


def _counts(
    people: NDArray[np.generic], groups: NDArray[np.generic]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Faces of each person in each group and which those are, `[C]` and `[2, C]`; of each person; of each group."""
    _, person, of_person = np.unique(people, return_inverse=True, return_counts=True)
    _, group, of_group = np.unique(groups, return_inverse=True, return_counts=True)
    cells, both = np.unique(np.stack([person, group]), axis=1, return_counts=True)
    return both, cells, of_person, of_group


def _pairs(counts: NDArray[np.int64]) -> int:
    return int((counts * (counts - 1) // 2).sum())


def _share(part: int, total: int) -> float:
    return part / total if total else 1.0
