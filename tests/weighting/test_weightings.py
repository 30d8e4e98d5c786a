from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from facerec.errors import ModelError
from facerec.weighting import MemberPairs, equal, fisher, inverse_variance, logistic, retrieval

WEIGHTINGS = [equal, fisher, inverse_variance, logistic, retrieval]
LABELS = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 7, 9])


def member(noise: float, seed: int, centres: NDArray[np.float64] | None = None, dim: int = 6) -> Tensor:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(8, dim)) if centres is None else centres
    rows = centres[LABELS] + noise * random.normal(size=(len(LABELS), centres.shape[1]))
    return torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def opposed(seed: int) -> Tensor:
    """Images of one person are each other's opposite."""
    signs = torch.from_numpy((-1.0) ** np.arange(len(LABELS)))[:, None]
    return member(0.3, seed) * signs


def make(*members: Tensor) -> MemberPairs:
    return MemberPairs(members, LABELS, [f"m{k}" for k in range(len(members))])


def every_pair(pairs: MemberPairs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Genuine and impostor similarity vectors, `[P, K]`; sampling is tested in test_pairs."""
    return pairs.similarities()


@pytest.mark.parametrize("noises", [(0.5, 0.8), (0.3, 1.0, 0.6)])
def test_fisher_is_the_direction_of_linear_discriminant_analysis(noises: tuple[float, ...]) -> None:
    shared = np.random.default_rng(9).normal(size=(8, 6))
    pairs = make(*(member(noise, seed, shared) for seed, noise in enumerate(noises)))
    genuine, impostor = every_pair(pairs)
    # with these priors scikit-learn takes the plain mean of both covariances
    analysis = LinearDiscriminantAnalysis(solver="lsqr", priors=[0.5, 0.5])
    analysis.fit(np.concatenate([genuine, impostor]), np.repeat([1, 0], [len(genuine), len(impostor)]))
    direction = analysis.coef_[0].clip(min=0)
    np.testing.assert_allclose(fisher(pairs), direction / direction.sum(), rtol=1e-8)


def test_fisher_of_two_members_by_cramers_rule() -> None:
    pairs = make(member(0.5, 0), member(0.9, 1))
    genuine, impostor = every_pair(pairs)
    d = genuine.mean(axis=0) - impostor.mean(axis=0)
    s = (np.cov(genuine.T, bias=True) + np.cov(impostor.T, bias=True)) / 2
    w = np.array([s[1, 1] * d[0] - s[0, 1] * d[1], s[0, 0] * d[1] - s[0, 1] * d[0]])
    np.testing.assert_allclose(fisher(pairs), w / w.sum(), rtol=1e-9)


@given(weights=st.tuples(*[st.floats(0.01, 1)] * 3))
@settings(deadline=None, max_examples=50)
def test_no_other_weights_separate_better_than_fishers(weights: tuple[float, ...]) -> None:
    pairs = make(member(0.5, 0), member(0.7, 1), member(0.9, 2))
    genuine, impostor = every_pair(pairs)

    def separation(w: NDArray[np.float64]) -> float:
        g, i = genuine @ w, impostor @ w
        return float((g.mean() - i.mean()) ** 2 / (g.var() + i.var()))

    best = fisher(pairs)
    assert (best > 0).all()  # nothing clipped, or it would not be the best direction
    assert separation(np.array(weights)) <= separation(best) * (1 + 1e-9)


def test_equal_weights() -> None:
    np.testing.assert_array_equal(
        equal(make(member(0.5, 0), member(0.5, 1), torch.ones(len(LABELS), 1))), [1 / 3] * 3
    )


def test_inverse_variance_by_its_formula() -> None:
    pairs = make(member(0.3, 0), member(1.0, 1))
    variances = np.mean([kind.var(axis=0) for kind in every_pair(pairs)], axis=0)
    np.testing.assert_allclose(inverse_variance(pairs), variances[::-1] / variances.sum(), rtol=1e-10)


def test_logistic_minimises_the_balanced_penalised_loss() -> None:
    pairs = make(member(0.8, 0), member(1.2, 1))
    genuine, impostor = every_pair(pairs)
    half = (len(genuine) + len(impostor)) / 2

    def loss(w: NDArray[np.float64]) -> float:
        wrong = [np.logaddexp(0, -(genuine @ w[:2] + w[2])), np.logaddexp(0, impostor @ w[:2] + w[2])]
        return float(half * wrong[0].mean() + half * wrong[1].mean() + w[:2] @ w[:2] / 2)

    w = minimize(loss, np.zeros(3), tol=1e-10).x[:2]
    assert (w > 0).all()
    np.testing.assert_allclose(logistic(pairs), w / w.sum(), atol=2e-3)


def test_logistic_follows_its_seed_and_limit() -> None:
    pairs = make(member(0.8, 0), member(1.2, 1))
    np.testing.assert_array_equal(logistic(pairs, limit=40, seed=3), logistic(pairs, limit=40, seed=3))
    assert (logistic(pairs, limit=40, seed=3) != logistic(pairs, limit=40, seed=4)).all()
    np.testing.assert_allclose(logistic(pairs, limit=80), logistic(pairs), atol=0.15)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("seed", range(3))
def test_weights_are_shares(weighting: Callable[[MemberPairs], NDArray[np.float64]], seed: int) -> None:
    weights = weighting(make(member(0.4, seed), member(1.0, seed + 1), member(5.0, seed + 2)))
    assert weights.shape == (3,)
    assert weights.dtype == np.float64
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("alone", [member(0.5, 0), opposed(0), torch.ones(len(LABELS), 1)])
def test_a_single_member_has_all_the_weight(
    weighting: Callable[[MemberPairs], NDArray[np.float64]], alone: Tensor
) -> None:
    np.testing.assert_array_equal(weighting(make(alone)), [1.0])


@pytest.mark.parametrize("weighting", [fisher, logistic])
def test_a_member_that_contradicts_gets_nothing(weighting: Callable[[MemberPairs], NDArray[np.float64]]) -> None:
    pairs = make(member(0.8, 0), opposed(1), member(0.8, 2))
    weights = weighting(pairs)
    assert weights[1] == 0
    assert min(weights[0], weights[2]) > 0.1
    if weighting is fisher:  # what is left keeps its proportions
        direction = np.linalg.solve(pairs.within, pairs.separation)
        assert weights[0] / weights[2] == pytest.approx(direction[0] / direction[2])


@pytest.mark.parametrize("weighting", [fisher, logistic])
def test_members_without_any_use_are_named(weighting: Callable[[MemberPairs], NDArray[np.float64]]) -> None:
    with pytest.raises(ModelError, match=r"members m0, m1: every weight is 0 or below.*check the labels"):
        weighting(make(opposed(0), opposed(1)))


@pytest.mark.parametrize("weighting", [fisher, inverse_variance])
def test_a_constant_member_is_refused_by_name(weighting: Callable[[MemberPairs], NDArray[np.float64]]) -> None:
    with pytest.raises(ModelError, match="member m1: its similarities do not vary"):
        weighting(make(member(0.5, 0), torch.ones(len(LABELS), 1)))
