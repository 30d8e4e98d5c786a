import logging
import re
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from facerec.errors import ConfigError
from facerec.metrics import retrieval_metrics
from facerec.weighting import MemberPairs, mixed_retrieval, retrieval
from facerec.weighting.mixed_retrieval import MixedRetrieval
from facerec.weighting.simplex import search

Weights = NDArray[np.float64]


def people(count: int, images: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(count), images)


def member(labels: NDArray[np.int64], noise: float, seed: int, dim: int = 16) -> Tensor:
    """Unit vectors around a random centre of each identity, with noise of their own."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(labels.max() + 1, dim))[labels] + noise * random.normal(size=(len(labels), dim))
    return torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True)).float()


def make(labels: NDArray[np.int64], *noises: float, seed: int = 0) -> MemberPairs:
    members = [member(labels, noise, seed + 10 * k, dim=12 + 4 * k) for k, noise in enumerate(noises)]
    return MemberPairs(members, labels, [f"m{k}" for k in range(len(noises))])


def map_at_r(pairs: MemberPairs, weights: Weights) -> float:
    """MAP@R of the ensemble's own vectors, by the metric that evaluation uses."""
    vectors = [member.double() * weight**0.5 for member, weight in zip(pairs.embeddings, weights, strict=True)]
    return retrieval_metrics(torch.cat(vectors, dim=1), torch.from_numpy(pairs.labels)).map_at_r


def simplex(steps: int, count: int) -> list[Weights]:
    points = product(range(steps + 1), repeat=count)
    return [np.array(point) / steps for point in points if sum(point) == steps]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=12).filter(lambda sizes: max(sizes) > 1),
    weights=st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(any),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_the_value_of_weights_is_that_of_the_metric(sizes: list[int], weights: list[int], seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)) * 3, sizes))
    pairs = make(labels, 0.8, 1.1, 1.5, seed=seed)
    shares = np.array(weights) / sum(weights)
    asked = MixedRetrieval(pairs, 10**6, 0)
    assert asked(shares).mean() == pytest.approx(map_at_r(pairs, shares), abs=1e-12)
    assert asked.identities.tolist() == [label for label in sorted(labels) if (labels == label).sum() > 1]


def test_equals_of_others_come_first_as_in_the_metric() -> None:
    labels = people(3, 2)
    pairs = MemberPairs([torch.ones(6, 1), member(labels, 0.1, 0)], labels, "ab")
    asked = MixedRetrieval(pairs, 100, 0)
    assert asked(np.array([1.0, 0.0])).tolist() == [0] * 6
    assert asked(np.array([0.5, 0.5])).mean() == map_at_r(pairs, np.array([0.5, 0.5])) > 0


@given(values=st.integers(0, 99), rows=st.integers(1, 9), stretches=st.integers(1, 40), count=st.integers(1, 50))
@settings(deadline=None, max_examples=60)
def test_the_largest_of_stretches_are_the_largest(values: int, rows: int, stretches: int, count: int) -> None:
    random = torch.Generator().manual_seed(values)
    given = torch.randint(0, 30, (rows, 8 * stretches), generator=random).float()  # with equals
    expected = given.sort(dim=1, descending=True).values[:, :count]
    assert torch.equal(mixed_retrieval._largest(given, count), expected)


@pytest.mark.parametrize("noises", [(0.9, 1.3), (1.4, 1.0), (0.9, 1.2, 1.6), (1.1, 1.1, 5.0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_search_finds_what_trying_everything_finds(noises: tuple[float, ...], seed: int) -> None:
    pairs = make(people(20, 6), *noises, seed=seed)
    asked = MixedRetrieval(pairs, 10**6, 0)
    found = search(lambda weights: asked(weights).mean(), len(noises))
    best = max(map_at_r(pairs, weights) for weights in simplex(32 if len(noises) == 2 else 16, len(noises)))
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    assert map_at_r(pairs, found) > best - 0.003


def _nearness(peak: Weights, weights: Weights) -> float:
    return -float(np.abs(weights - peak).sum())


def test_a_search_knows_the_highest_point_of_a_smooth_hill() -> None:
    for peak in ([0.7, 0.3, 0.0], [0.1, 0.2, 0.7], [0.2, 0.1, 0.3, 0.4], [0.0, 0.5, 0.0, 0.0, 0.2, 0.3]):
        found = search(partial(_nearness, np.array(peak)), len(peak))
        np.testing.assert_allclose(found, peak, atol=1 / 16)


@pytest.mark.slow
@pytest.mark.parametrize("count", [7, 12, 64])
def test_a_search_over_many_members_stays_small(count: int) -> None:
    asked = []
    goal = np.eye(count)[3]

    def value(weights: Weights) -> float:
        asked.append(weights)
        return float(weights @ goal)

    assert search(value, count)[3] == 1
    assert all(weights.sum() == pytest.approx(1) for weights in asked)


def test_a_member_without_use_gets_nothing_and_the_better_one_more(caplog: pytest.LogCaptureFixture) -> None:
    pairs = make(people(40, 5), 0.8, 1.1, 30.0)
    with caplog.at_level(logging.INFO):
        weights = retrieval(pairs)
    assert weights[2] == 0
    assert weights[0] > weights[1] > 0.1
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert "by cross-validation over 40 identities" in caplog.text
    assert map_at_r(pairs, weights) > map_at_r(pairs, np.full(3, 1 / 3)) + 0.02
    np.testing.assert_array_equal(retrieval(pairs), weights)  # the same again


def test_alike_members_are_equal_by_choice(caplog: pytest.LogCaptureFixture) -> None:
    pairs = make(people(8, 4), 1.0, 1.0, 1.0, seed=7)
    asked = MixedRetrieval(pairs, 10**6, 0)
    best = search(lambda weights: asked(weights).mean(), 3)
    assert map_at_r(pairs, best) > map_at_r(pairs, np.full(3, 1 / 3))  # there is something to be tempted by
    with caplog.at_level(logging.INFO):
        weights = retrieval(pairs)
    assert weights.tolist() == [1 / 3] * 3
    assert "weights: equal by choice" in caplog.text


def test_a_gain_within_two_standard_errors_is_no_reason_to_leave_equal_weights(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        weights = retrieval(make(people(8, 4), 1.0, 1.3, seed=5))
    said = re.search(r"equal by choice: .* MAP@R ([\d.]+), and others at most ([\d.]+); ", caplog.text)
    assert said
    assert float(said[1]) < float(said[2])
    assert weights.tolist() == [0.5, 0.5]


def test_where_all_retrieve_everything_weights_are_equal() -> None:
    assert retrieval(make(people(6, 3), 0.01, 0.02)).tolist() == [0.5, 0.5]


def test_one_identity_with_two_images_can_not_be_checked_on_others(caplog: pytest.LogCaptureFixture) -> None:
    labels = np.array([0, 0, 1, 2, 3])
    with caplog.at_level(logging.INFO):
        assert retrieval(make(labels, 0.5, 3.0)).tolist() == [0.5, 0.5]
    assert "there is only one identity with two images" in caplog.text


def test_of_many_images_whole_identities_are_drawn() -> None:
    labels = np.random.default_rng(0).permutation(people(50, 6))
    rows = mixed_retrieval._drawn(labels, 60, 0)
    assert np.bincount(labels[rows], minlength=50).tolist().count(6) == 10
    assert len(rows) == 60
    assert (np.diff(labels[rows]) >= 0).all()
    assert not np.array_equal(rows, mixed_retrieval._drawn(labels, 60, 1))
    np.testing.assert_array_equal(mixed_retrieval._drawn(labels, 10**6, 0), np.argsort(labels, kind="stable"))
    assert len(np.unique(labels[mixed_retrieval._drawn(labels, 3, 0)])) == 2  # fewer could not be compared
    weights = retrieval(make(labels, 0.8, 30.0), limit=120)
    assert weights.tolist() == [1.0, 0.0]


def test_one_fold_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"weighting\.folds must be 2 or more, not 1"):
        retrieval(make(people(4, 3), 0.5, 0.5), folds=1)
