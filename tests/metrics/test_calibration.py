import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from facerec.metrics import Calibration, fit_calibration, pair_histograms, reliability


def _pairs(identities: int, noise: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(identities).repeat_interleave(5)
    vectors = torch.randn(identities, 6, generator=generator, dtype=torch.float64)[labels]
    vectors = vectors + noise * torch.randn(len(labels), 6, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(vectors, dim=1), labels


def _each(vectors: torch.Tensor, labels: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Similarity of each pair, rounded as the histogram is, and whether it is genuine."""
    x, y = torch.triu_indices(len(labels), len(labels), 1)
    similarity = ((vectors[x] * vectors[y]).sum(1) * 2**16).round() / 2**16
    return similarity.numpy(), (labels[x] == labels[y]).numpy()


@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_learn_over_every_single_pair(seed: int) -> None:
    vectors, labels = _pairs(identities=60, noise=0.8, seed=seed)
    similarity, same = _each(vectors, labels)
    found = fit_calibration(pair_histograms(vectors, labels))
    model = LogisticRegression(C=np.inf, class_weight="balanced", solver="newton-cholesky", tol=1e-10)
    model.fit(similarity[:, None], same)
    # they have no doubt about targets; ours is one pair in 600
    assert found.slope == pytest.approx(model.coef_[0, 0], rel=0.01)
    assert found.probability(similarity) == pytest.approx(model.predict_proba(similarity[:, None])[:, 1], abs=0.005)


@pytest.mark.parametrize("noise", [0.05, 0.5, 2.0])
def test_is_the_least_cross_entropy_to_targets_of_platt(noise: float) -> None:
    vectors, labels = _pairs(identities=8, noise=noise, seed=4)
    similarity, same = _each(vectors, labels)
    count = np.where(same, same.sum(), (~same).sum())
    target = np.where(same, (count + 1) / (count + 2), 1 / (count + 2))

    def loss(line: NDArray[np.float64]) -> float:
        logit = line[0] * similarity + line[1]
        return float(((np.logaddexp(0, logit) - target * logit) / count).sum())

    least = minimize(
        loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-14, "maxiter": 4000}
    )
    found = fit_calibration(pair_histograms(vectors, labels))
    np.testing.assert_allclose(found, least.x, rtol=1e-4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("gap", [0.5, 1e-2])
def test_stays_finite_where_nothing_overlaps(gap: float) -> None:
    angles = torch.tensor([0.0, 0.0, gap, gap], dtype=torch.float64)
    vectors, labels = torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([0, 0, 1, 1])
    found = fit_calibration(pair_histograms(vectors, labels))
    # two genuine pairs, four impostor pairs: with one similarity each, the line meets Platt's targets
    similarity = np.round(np.array([1, np.cos(gap)]) * 2**16) / 2**16
    np.testing.assert_allclose(found.probability(similarity), [3 / 4, 1 / 6], atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_means_nothing_where_all_are_alike() -> None:
    found = fit_calibration(pair_histograms(torch.ones(400, 1), torch.arange(400) // 20))
    assert found.slope == 0
    assert found.probability(np.array([1.0])) == pytest.approx([0.5], abs=1e-3)


@pytest.mark.filterwarnings("error")
@given(st.floats(-100, 100), st.floats(-100, 100), st.integers(0, 3))
@settings(deadline=None)
def test_tensors_and_arrays_alike_without_overflow(slope: float, intercept: float, rows: int) -> None:
    calibration = Calibration(slope, intercept)
    similarity = np.linspace(-1, 1, rows * 4).reshape(rows, 4)
    found = calibration.probability(similarity)
    tensor = calibration.probability(torch.from_numpy(similarity))
    assert [*found.shape] == [*tensor.shape] == [rows, 4]
    np.testing.assert_allclose(tensor, found, atol=1e-12)
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(found, 0.5 + 0.5 * np.tanh((slope * similarity + intercept) / 2), atol=1e-12)


def test_reliability_equals_counting_every_pair() -> None:
    vectors, labels = _pairs(identities=30, noise=0.6, seed=1)
    similarity, same = _each(vectors, labels)
    pairs, calibration = pair_histograms(vectors, labels), Calibration(9.0, -4.0)
    weight = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    probability = expit(9 * similarity - 4)
    found = reliability(calibration, pairs, bins=10)
    ece = 0.0
    for place in range(10):
        inside = (probability >= place / 10) & (probability < (place + 1) / 10)
        assert found.weight[place] == pytest.approx(weight[inside].sum(), abs=1e-12)
        confidence, accuracy = (np.average(part[inside], weights=weight[inside]) for part in (probability, same))
        assert (found.confidence[place], found.accuracy[place]) == pytest.approx((confidence, accuracy), abs=1e-9)
        ece += weight[inside].sum() * abs(confidence - accuracy)
    assert found.ece == pytest.approx(ece, abs=1e-9)
    assert found.weight.sum() == pytest.approx(1, abs=1e-12)


def test_reliability_of_two_like_classes_is_the_curve_of_scikit_learn() -> None:
    # one genuine and two impostor pairs: counting the genuine twice weighs both classes the same
    vectors, labels = torch.eye(2)[[0, 0, 1]].double(), torch.tensor([0, 0, 1])
    vectors[1] = torch.tensor([0.8, 0.6])
    similarity, same = np.array([0.8, 0.0, 0.6]), np.array([1, 0, 0])
    weighted = similarity[[0, 0, 1, 2]], same[[0, 0, 1, 2]]
    calibration = Calibration(6.0, -3.0)
    accuracy, confidence = calibration_curve(weighted[1], expit(6 * weighted[0] - 3), n_bins=15)
    found = reliability(calibration, pair_histograms(vectors, labels))
    occupied = found.weight > 0
    np.testing.assert_allclose(found.accuracy[occupied], accuracy, atol=1e-9)
    np.testing.assert_allclose(found.confidence[occupied], confidence, atol=1e-4)
    assert np.isnan(found.accuracy[~occupied]).all()
    assert np.isnan(found.confidence[~occupied]).all()


def test_a_fitted_line_is_right_on_average_and_a_bolder_one_is_not() -> None:
    pairs = pair_histograms(*_pairs(identities=80, noise=0.7, seed=3))
    fitted = fit_calibration(pairs)
    found = reliability(fitted, pairs)
    # logistic regression with an intercept: promises and truth agree in total
    total = np.nansum(found.weight * found.confidence)
    assert total == pytest.approx(np.nansum(found.weight * found.accuracy), abs=1e-3)
    bolder = Calibration(fitted.slope * 3, fitted.intercept * 3)
    assert reliability(bolder, pairs).ece > found.ece + 0.02
