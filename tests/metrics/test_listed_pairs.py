"""What is measured on lists of pairs: ten folds, intervals, histograms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.model_selection import KFold

from facerec.errors import DataError
from facerec.metrics import accuracy_interval, fold_accuracy, listed_pair_histograms, pair_histograms, tenths


@given(st.integers(10, 200))
def test_tenths_are_the_folds_of_scikit_learn(count: int) -> None:
    """InsightFace divides its pairs with KFold(n_splits=10, shuffle=False)."""
    expected = np.empty(count, int)
    for number, (_, held) in enumerate(KFold(10).split(np.arange(count))):
        expected[held] = number
    np.testing.assert_array_equal(tenths(count), expected)


@given(st.integers(0, 9))
def test_fewer_pairs_than_ten_are_a_fold_each(count: int) -> None:
    assert tenths(count).tolist() == list(range(count))


def _insightface(similarity: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Accuracy as its verification script finds it: squared distances, thresholds in steps of 0.01."""
    distance, thresholds = 2 - 2 * similarity, np.arange(0, 4, 0.01)
    right = (distance[:, None] < thresholds) == same[:, None]
    folds = KFold(10, shuffle=False).split(np.arange(len(same)))
    return float(np.mean([right[held, right[others].mean(axis=0).argmax()].mean() for others, held in folds]))


def test_the_accuracy_is_that_of_insightface_but_for_its_steps() -> None:
    random = np.random.default_rng(0)
    same = np.arange(6000) // 300 % 2 == 0
    similarity = np.where(same, random.normal(0.6, 0.15, 6000), random.normal(0.1, 0.12, 6000)).clip(-1, 1)
    found = fold_accuracy(similarity, same, tenths(6000)).mean
    assert 0.9 < found < 0.99
    assert found == pytest.approx(_insightface(similarity, same), abs=0.002)


@pytest.mark.parametrize(("genuine", "width"), [(True, 1), (False, 2**0.5)])
def test_the_interval_is_the_binomial_one_where_pairs_share_nobody(genuine: bool, width: float) -> None:
    """Of an impostor pair both identities are drawn, which makes the interval wider by √2."""
    count = 1000
    same, fold = np.full(count, genuine), tenths(count)
    similarity = np.where(np.random.default_rng(0).random(count) < 0.8, 0.9, -0.9) * (1 if genuine else -1)
    accuracy = fold_accuracy(similarity, same, fold)._replace(right=(similarity > 0) == genuine)
    accuracy = accuracy._replace(mean=accuracy.right.mean())
    people = np.arange(count)[:, None] if genuine else np.arange(2 * count).reshape(-1, 2)
    found = accuracy_interval(accuracy, same, fold, np.broadcast_to(people, (count, 2)), seed=1)
    low, high = binom.ppf([0.025, 0.975], count, accuracy.mean) / count
    assert found.value == accuracy.mean
    assert found.high - found.low == pytest.approx(width * (high - low), rel=0.1)
    assert (found.low + found.high) / 2 == pytest.approx(found.value, abs=0.005)


def test_pairs_of_one_person_stand_or_fall_together() -> None:
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(100), 10)
    right = (random.random(100) < 0.8)[people]
    same, fold, ids = np.ones(1000, bool), tenths(1000), np.stack([people, people], axis=1)
    accuracy = fold_accuracy(np.where(right, 0.9, -0.9), same, fold)._replace(right=right, mean=right.mean())
    found = accuracy_interval(accuracy, same, fold, ids)
    low, high = binom.ppf([0.025, 0.975], 100, right.mean()) / 100
    assert found.high - found.low == pytest.approx(high - low, rel=0.1)


def test_an_interval_of_what_is_never_wrong_is_a_point() -> None:
    same = np.arange(40) % 2 == 0
    accuracy = fold_accuracy(np.where(same, 0.9, 0.1), same, tenths(40))
    ids = np.random.default_rng(0).integers(0, 5, (40, 2))
    assert accuracy_interval(accuracy, same, tenths(40), ids, resamples=250) == (1, 1, 1)


def test_a_list_of_all_pairs_is_counted_as_all_pairs() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 6, 40) * 3
    embeddings = torch.nn.functional.normalize(torch.from_numpy(random.normal(size=(40, 5))), dim=1)
    left, right = np.triu_indices(40, 1)
    similarity = (embeddings @ embeddings.T).numpy()[left, right]
    ids = np.stack([labels[left], labels[right]], axis=1)
    found = listed_pair_histograms(similarity, ids[:, 0] == ids[:, 1], ids)
    for ours, theirs in zip(found, pair_histograms(embeddings, torch.from_numpy(labels)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_pair_within_a_person_that_is_called_two_is_counted() -> None:
    """Lists have mistakes, and genuine pairs may join what an impostor pair parts."""
    found = listed_pair_histograms([0.5, 0.25, 1.5], [True, False, False], [[7, 7], [7, 7], [7, 8]])
    assert (found.genuine.sum(), found.impostor.sum()) == (1, 2)
    assert found.impostor_of.sum(axis=1).tolist() == [3, 1]
    assert found.impostor[-1] == 1  # a cosine above 1


@pytest.mark.parametrize(
    ("similarity", "same", "message"),
    [
        ([0.5, np.nan], [True, False], "not finite"),
        ([0.5, 0.2], [True, True], "no impostor pair among 2"),
        ([0.5, 0.2], [False, False], "no genuine pair among 2"),
    ],
)
def test_what_has_no_rates_is_refused(similarity: list[float], same: list[bool], message: str) -> None:
    with pytest.raises(DataError, match=message):
        listed_pair_histograms(similarity, same, [[0, 0], [0, 1]])
