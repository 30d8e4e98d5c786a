import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facerec.errors import DataError
from facerec.metrics import mean_interval, paired_difference, retrieval_per_query


def _queries(seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Unequal numbers of queries that share their identity's fortune."""
    random = np.random.default_rng(seed)
    identities = np.repeat(np.arange(60) * 7 - 20, random.integers(1, 9, 60))
    fortune = dict(zip(np.unique(identities), random.uniform(0, 1, 60), strict=True))
    values = (random.uniform(size=len(identities)) < [fortune[name] for name in identities]).astype(float)
    shuffle = random.permutation(len(identities))
    return values[shuffle], identities[shuffle]


def _naive(values: NDArray[np.float64], identities: NDArray[np.int64], resamples: int) -> NDArray[np.float64]:
    """Draw identities and put all their queries into one heap."""
    random = np.random.default_rng(5)
    heaps = [values[identities == name] for name in np.unique(identities)]
    draws = (random.integers(len(heaps), size=len(heaps)) for _ in range(resamples))
    return np.array([np.concatenate([heaps[i] for i in draw]).mean() for draw in draws])


@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_as_wide_as_drawing_identities_by_hand(confidence: float) -> None:
    values, identities = _queries(1)
    found = mean_interval(values, identities, confidence=confidence, resamples=4000)
    drawn = _naive(values, identities, 4000)
    limits = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    assert found.value == values.mean()
    np.testing.assert_allclose(found[1:], limits, atol=0.08 * (limits[1] - limits[0]))
    # the premise: as if queries were separate evidence, it would be much narrower
    alone = mean_interval(values, np.arange(len(values)), confidence=confidence)
    assert (found.high - found.low) > 1.3 * (alone.high - alone.low)


def test_paired_difference_cancels_what_both_share() -> None:
    values, identities = _queries(2)
    slips = np.random.default_rng(0).uniform(size=len(values)) < 0.05
    worse = np.where(slips, 0, values)
    found = paired_difference(values, worse, identities)
    assert found.value == pytest.approx(values.mean() - worse.mean(), abs=1e-12)
    assert 0 < found.low < found.value < found.high
    whole = mean_interval(values, identities)
    assert found.high - found.low < 0.5 * (whole.high - whole.low)
    backwards = paired_difference(worse, values, identities)
    np.testing.assert_allclose((backwards.high, backwards.low), (-found.low, -found.high), atol=0.002)


@pytest.mark.filterwarnings("error")
@given(st.lists(st.integers(0, 5), min_size=2, max_size=20).filter(lambda row: len(set(row)) > 1), st.floats(-1, 1))
@settings(deadline=None, max_examples=30)
def test_equal_values_have_no_width(identities: list[int], value: float) -> None:
    found = mean_interval(np.full(len(identities), value), identities, resamples=50)
    np.testing.assert_allclose(found, value, rtol=0, atol=1e-15)
    assert paired_difference(identities, identities, identities, resamples=50) == (0, 0, 0)


def test_takes_what_the_metrics_give_and_repeats_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 12, (80,), generator=generator)
    per_query = retrieval_per_query(torch.randn(80, 4, generator=generator), labels)
    found = mean_interval(per_query.map_at_r, labels[per_query.rows], resamples=200)
    assert found.value == pytest.approx(float(per_query.map_at_r.mean()), abs=1e-12)
    assert found.low < found.value < found.high
    assert mean_interval(per_query.map_at_r, labels[per_query.rows], resamples=200) == found
    assert mean_interval(per_query.map_at_r, labels[per_query.rows], resamples=200, seed=1) != found


@pytest.mark.parametrize("count", [0, 1, 3])
def test_one_identity_is_too_few(count: int) -> None:
    with pytest.raises(DataError, match=f"needs two of them, not {min(count, 1)}"):
        mean_interval(np.ones(count), np.zeros(count, dtype=int))
