import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score, roc_curve

from facerec.metrics import (
    GRID,
    PairHistograms,
    auc,
    equal_error_rate,
    operating_points,
    pair_histograms,
    roc,
    verification_intervals,
)

ABOVE = 1 + 2**-16


def _histograms(genuine: NDArray[np.int64], impostor: NDArray[np.int64]) -> PairHistograms:
    """Only what the point figures read: pairs at these places of the grid."""
    none = np.zeros((0, 1025), dtype=np.int64)
    counts = (np.bincount(places, minlength=len(GRID)) for places in (genuine, impostor))
    return PairHistograms(next(counts), next(counts), none, none)


def _scored(
    genuine: NDArray[np.int64], impostor: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    return np.arange(len(genuine) + len(impostor)) < len(genuine), GRID[np.concatenate([genuine, impostor])]


PLACES = st.lists(
    st.sampled_from([0, 1, 65535, 65536, 65537, 2**17 - 1, 2**17]) | st.integers(65536, 65546),
    min_size=1,
    max_size=40,
).map(lambda row: np.array(row, dtype=np.int64))


@pytest.mark.slow
@given(PLACES, PLACES)
@settings(deadline=None, max_examples=150)
def test_curve_area_and_equal_error_are_those_of_scikit_learn(
    genuine: NDArray[np.int64], impostor: NDArray[np.int64]
) -> None:
    pairs = _histograms(genuine, impostor)
    same, similarity = _scored(genuine, impostor)
    far, tar, thresholds = roc_curve(same, similarity, drop_intermediate=False)
    ours = roc(pairs)
    # every vertex is one of theirs, at the same threshold, and the line through ours meets all of theirs
    theirs = {(f, t, min(s, ABOVE)) for f, t, s in zip(far, tar, thresholds, strict=True)}
    assert set(zip(*(part.tolist() for part in ours), strict=True)) <= theirs
    area = np.trapezoid(ours.tar, ours.far)
    assert area == pytest.approx(np.trapezoid(tar, far), abs=1e-12)
    along = np.concatenate([[0], (np.diff(far) + np.diff(tar)).cumsum()])
    own = np.concatenate([[0], (np.diff(ours.far) + np.diff(ours.tar)).cumsum()])
    np.testing.assert_allclose(np.interp(along, own, ours.far), far, atol=1e-12)
    directions = np.arctan2(np.diff(ours.tar), np.diff(ours.far))
    assert (np.abs(np.diff(directions)) > 1e-9).all()

    assert auc(pairs) == pytest.approx(roc_auc_score(same, similarity), abs=1e-12)
    rank_sum = mannwhitneyu(GRID[genuine], GRID[impostor]).statistic
    assert auc(pairs) == pytest.approx(rank_sum / (len(genuine) * len(impostor)), abs=1e-12)

    # a point of the curve by its length, where false accepts and false rejects meet
    where = brentq(lambda x: np.interp(x, along, far) + np.interp(x, along, tar) - 1, 0, 2, xtol=1e-14)
    assert equal_error_rate(pairs) == pytest.approx(np.interp(where, along, far), abs=1e-9)


@given(PLACES, PLACES, st.floats(0, 1) | st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
@settings(deadline=None, max_examples=150)
def test_operating_point_is_the_lowest_threshold_that_holds_the_rate(
    genuine: NDArray[np.int64], impostor: NDArray[np.int64], target: float
) -> None:
    (point,) = operating_points(_histograms(genuine, impostor), [target])
    assert point.target_far == target
    assert point.far == np.mean(GRID[impostor] >= point.threshold) <= target
    assert point.tar == np.mean(GRID[genuine] >= point.threshold)
    lower = point.threshold - 2**-16
    assert point.threshold == -1 or np.mean(GRID[impostor] >= lower) > target


def test_nobody_is_accepted_where_impostors_reach_one() -> None:
    pairs = _histograms(np.array([2**17, 2**17]), np.array([2**17, 0]))
    assert operating_points(pairs, [0.4, 0.5]) == [(0.4, 0, 0, ABOVE), (0.5, 0.5, 1, -1 + 2**-16)]
    with pytest.raises(ValueError, match="rate is within"):
        operating_points(pairs, [-0.1])


def test_best_and_worst() -> None:
    low, high = np.array([100]), np.array([200])
    assert (auc(_histograms(high, low)), equal_error_rate(_histograms(high, low))) == (1, 0)
    assert (auc(_histograms(low, high)), equal_error_rate(_histograms(low, high))) == (0, 1)
    assert (auc(_histograms(low, low)), equal_error_rate(_histograms(low, low))) == (0.5, 0.5)


def _faces(identities: int, samples: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Identities as unlike each other as people are: some are told apart easily, some are not."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(identities), samples)
    noise = random.uniform(0.3, 1.2, (identities, 1))[labels]
    vectors = random.normal(size=(identities, 8))[labels] + noise * random.normal(size=(len(labels), 8))
    return torch.from_numpy(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)), torch.from_numpy(labels)


def _naive(
    vectors: NDArray[np.float64], labels: NDArray[np.int64], fars: list[float], resamples: int
) -> NDArray[np.float64]:
    """Draw identities, weigh every single pair by its draws, and measure: `[resamples, 2 * fars + 2]`."""
    random = np.random.default_rng(9)
    x, y = np.triu_indices(len(labels), 1)
    similarity = (vectors[x] * vectors[y]).sum(1)
    order = similarity.argsort()[::-1]
    x, y, similarity = labels[x[order]], labels[y[order]], similarity[order]
    rows = []
    for _ in range(resamples):
        drawn = np.bincount(random.choice(labels.max() + 1, labels.max() + 1), minlength=labels.max() + 1)
        impostor = np.where(x != y, drawn[x] * drawn[y], 0).cumsum()
        genuine = np.where(x == y, drawn[x], 0).cumsum()
        far, tar = impostor / impostor[-1], genuine / genuine[-1]
        places = [np.searchsorted(far, target, side="right") for target in fars]
        error = far[np.argmax(far >= 1 - tar)]
        rows.append([*tar[places], *similarity[places], error, np.trapezoid(tar, far)])
    return np.array(rows)


def test_intervals_against_a_naive_bootstrap() -> None:
    vectors, labels = _faces(identities=50, samples=4, seed=2)
    fars = [0.1, 0.01]
    found = verification_intervals(pair_histograms(vectors, labels), fars, resamples=1000, seed=4)
    ours = np.array([*found.tar, *found.threshold, found.equal_error_rate, found.auc])
    drawn = _naive(vectors.numpy(), labels.numpy(), fars, 600)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    # as wide; thresholds less so, for the naive weights m_i·m_j make chance meetings of two identities chancier
    widths = (ours[:, 2] - ours[:, 1]) / (high - low)
    assert (np.abs(np.log(widths[[0, 1, 4, 5]])) < np.log(1.15)).all(), widths
    assert ((widths[[2, 3]] > 0.7) & (widths[[2, 3]] < 1)).all(), widths
    # and about the same middle, on the scale of their width
    assert (np.abs(ours[:, 1:].mean(1) - (low + high) / 2) < 0.15 * (high - low)).all()
    assert ((ours[:, 1] < ours[:, 0]) & (ours[:, 0] < ours[:, 2])).all()


@pytest.mark.slow
def test_intervals_against_the_scatter_of_fresh_identities() -> None:
    rows = []
    for seed in range(150):
        found = verification_intervals(pair_histograms(*_faces(50, 4, 100 + seed)), [0.1], resamples=100, seed=seed)
        rows.append([found.tar[0], found.equal_error_rate, found.auc, found.threshold[0]])
    value, low, high = np.moveaxis(np.array(rows), 2, 0)
    widths = (high - low).mean(0) / (2 * 1.96 * value.std(0))
    assert (np.abs(np.log(widths[:3])) < np.log(1.2)).all(), widths
    # of thresholds the docstring says that they err on the wide side
    assert 1 < widths[3] < 2**0.5 * 1.1, widths


def test_intervals_belong_to_the_figures_and_to_the_seed() -> None:
    pairs = pair_histograms(*_faces(identities=20, samples=3, seed=0))
    fars = (0.3, 0.05, 0.0)
    found = verification_intervals(pairs, fars, resamples=50)
    points = operating_points(pairs, fars)
    assert [interval.value for interval in found.tar] == [point.tar for point in points]
    assert [interval.value for interval in found.threshold] == [point.threshold for point in points]
    assert (found.equal_error_rate.value, found.auc.value) == (equal_error_rate(pairs), auc(pairs))
    assert verification_intervals(pairs, fars, resamples=50) == found
    assert verification_intervals(pairs, fars, resamples=50, seed=1) != found
    narrow = verification_intervals(pairs, fars, resamples=50, confidence=0.5)
    assert found.auc.low < narrow.auc.low < narrow.auc.high < found.auc.high


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("spread", [1.0, 1e-2])
def test_perfect_separation_has_no_width_even_below_the_coarse_step(spread: float) -> None:
    angles = torch.tensor([0.0, 0.0, spread, spread], dtype=torch.float64)
    pairs = pair_histograms(torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([0, 0, 1, 1]))
    found = verification_intervals(pairs, [0.1])
    assert [*found.auc, *found.tar[0], *found.equal_error_rate] == [1, 1, 1, 1, 1, 1, 0, 0, 0]


@pytest.mark.filterwarnings("error")
def test_draws_without_genuine_pairs_are_passed_over() -> None:
    # only one of three identities has a pair: three draws in ten miss it
    vectors = torch.eye(3)[[0, 0, 1, 2]]
    found = verification_intervals(pair_histograms(vectors, torch.tensor([0, 0, 1, 2])), [0.5])
    assert [*found.auc, *found.tar[0]] == [1] * 6
