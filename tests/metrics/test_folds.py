import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facerec.errors import DataError
from facerec.metrics import fold_accuracy
from facerec.metrics.folds import best_threshold

PAIR = st.tuples(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]) | st.floats(-1, 1), st.booleans())


def _right(similarity: NDArray[np.float64], same: NDArray[np.bool_], threshold: float) -> int:
    return int(((similarity >= threshold) == same).sum())


@given(st.lists(PAIR, min_size=1, max_size=30))
@settings(deadline=None, max_examples=200)
def test_no_threshold_does_better_and_no_lower_one_as_well(pairs: list[tuple[float, bool]]) -> None:
    similarity, same = np.array([s for s, _ in pairs]), np.array([b for _, b in pairs])
    found = best_threshold(similarity, same)
    # a threshold at each similarity, or above them all, stands for all that divide the pairs alike
    ways = {float(s): _right(similarity, same, s) for s in [*np.unique(similarity), 2.0]}
    most = max(ways.values())
    assert _right(similarity, same, found) == most
    upper = min(s for s, right in ways.items() if right == most)
    lower = [s for s in similarity if s < upper]
    if upper == 2:
        assert 1 < found < 1.001
    elif lower:
        assert max(lower) < found <= upper
        assert found == pytest.approx((max(lower) + upper) / 2, abs=1e-15)
    else:
        assert found == -1


@given(st.lists(st.tuples(PAIR, st.integers(-2, 3)), min_size=2, max_size=40))
@settings(deadline=None, max_examples=100)
def test_each_fold_is_judged_by_the_others(rows: list[tuple[tuple[float, bool], int]]) -> None:
    similarity, same = np.array([pair[0] for pair, _ in rows]), np.array([pair[1] for pair, _ in rows])
    fold = np.array([number for _, number in rows])
    folds = sorted(set(fold.tolist()))
    if len(folds) < 2:
        with pytest.raises(DataError, match="give a second pairs file"):
            fold_accuracy(similarity, same, fold)
        return
    found = fold_accuracy(similarity, same, fold)
    for place, number in enumerate(folds):
        others, own = fold != number, fold == number
        threshold = found.thresholds[place]
        reached = _right(similarity[others], same[others], threshold)
        tries = [_right(similarity[others], same[others], t) for t in [*similarity[others], 2.0]]
        assert reached == max(tries)
        assert found.accuracies[place] == _right(similarity[own], same[own], threshold) / own.sum()
    accuracies = found.accuracies.tolist()
    spread = sum((a - sum(accuracies) / len(folds)) ** 2 for a in accuracies) / (len(folds) - 1)
    assert found.mean == pytest.approx(sum(accuracies) / len(folds), abs=1e-12)
    assert found.std == pytest.approx(spread**0.5, abs=1e-9)
    assert found.standard_error == pytest.approx((spread / len(folds)) ** 0.5, abs=1e-9)


def test_a_threshold_of_its_own_would_flatter() -> None:
    # the folds disagree about what is similar, so that each is misjudged by the other
    found = fold_accuracy([0.1, 0.3, 0.7, 0.9], [False, True, False, True], [0, 0, 1, 1])
    assert found.thresholds.tolist() == pytest.approx([0.8, 0.2])
    assert found.accuracies.tolist() == [0.5, 0.5]
    assert (found.mean, found.std) == (0.5, 0)


def test_cosines_a_little_beyond_one_are_accepted() -> None:
    found = fold_accuracy([1 + 1e-7, -1 - 1e-7] * 2, [True, True] * 2, [0, 0, 1, 1])
    assert found.mean == 1
    assert found.thresholds.tolist() == [-1, -1]


def test_neighbours_among_the_floats_are_told_apart() -> None:
    # their mean rounds to the lower one, which is to be refused
    lower, upper = 0.5, np.nextafter(0.5, 1)
    assert (lower + upper) / 2 == lower
    assert best_threshold(np.array([lower, upper]), np.array([False, True])) == upper
