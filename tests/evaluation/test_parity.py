import numpy as np
import pytest
from numpy.typing import NDArray

from facerec.errors import DataError
from facerec.evaluation import compare_vectors


def unit(
    vectors: NDArray[np.float64],
) -> NDArray[np.float32]:
    scaled: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled.astype(np.float32)


def tar(vectors: NDArray[np.float32], people: list[str], far: float) -> float:
    """Pair by pair: the share of one person's pairs above all but the allowed share of two persons' pairs."""
    pairs = [(i, j) for i in range(len(people)) for j in range(i)]
    same = [float(vectors[i] @ vectors[j]) for i, j in pairs if people[i] == people[j]]
    other = sorted((float(vectors[i] @ vectors[j]) for i, j in pairs if people[i] != people[j]), reverse=True)
    limit = other[int(far * len(other))]
    return float(np.mean([value > limit for value in same]))


def test_it_equals_what_pair_by_pair_gives() -> None:
    random = np.random.default_rng(0)
    people = [str(index % 7) for index in range(42)]
    centres = random.normal(size=(7, 8))
    own = unit(centres[[int(name) for name in people]] + 0.8 * random.normal(size=(42, 8)))
    copy = unit(own + 0.3 * random.normal(size=own.shape))
    parity = compare_vectors(own, copy, np.array(people), 0.05)
    cosines = (own.astype(np.float64) * copy.astype(np.float64)).sum(axis=1)
    assert parity.crops == 42
    assert parity.largest_difference == pytest.approx(np.abs(own - copy).max())
    assert (parity.lowest_cosine, parity.median_cosine) == pytest.approx((cosines.min(), np.median(cosines)))
    assert parity.tar == pytest.approx((tar(own, people, 0.05), tar(copy, people, 0.05)))
    assert parity.tar[0] > parity.tar[1]


def test_vectors_that_are_not_finite_are_refused() -> None:
    own = unit(np.random.default_rng(0).normal(size=(4, 3)))
    with pytest.raises(DataError):
        compare_vectors(own, np.full_like(own, np.nan), np.array(["a", "a", "b", "b"]), 0.1)
