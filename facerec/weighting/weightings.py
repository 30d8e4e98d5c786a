"""Weightings: from pair statistics to the weights of an ensemble's members, 0 or above and of sum 1.

A single member always gets the weight 1.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facerec.errors import ModelError
from facerec.weighting.moments import MemberPairs

Weights = NDArray[np.float64]


def equal(pairs: MemberPairs) -> Weights:
    """1/K each, `float64 [K]`: plain concatenation."""
    return np.full(len(pairs.names), 1 / len(pairs.names))


def fisher(pairs: MemberPairs) -> Weights:
    """w ∝ (½(Σ₊+Σ₋))⁻¹(μ₊−μ₋), clipped at 0: `float64 [K]`.

    The direction that separates genuine from impostor similarities best (Fisher, The use of multiple
    measurements in taxonomic problems, 1936). Both kinds of pair count the same, however many there are.

    Raises:
        ModelError: a member's similarities never vary or follow from other members', or all weights are 0.
    """
    return _shares(pairs, lambda: np.linalg.solve(pairs.within, pairs.separation))


def inverse_variance(pairs: MemberPairs) -> Weights:
    """w_k ∝ 1/σ_k², `float64 [K]`, with σ_k² = ½(σ₊²+σ₋²), the variance of c_k within a kind of pair.

    The textbook weighting of uncorrelated estimates of one quantity (Bates and Granger, The combination of
    forecasts, 1969). It takes the similarities to be on one scale: a member whose similarities all lie close
    together gets much weight, even if it separates little. `fisher` sees that, and sees correlation.

    Raises:
        ModelError: as `fisher`, except that no weight is 0.
    """
    return _shares(pairs, lambda: 1 / pairs.within.diagonal())


def logistic(pairs: MemberPairs, limit: int = 200_000, seed: int = 0) -> Weights:
    """Coefficients of a logistic regression of genuine against impostor pairs, clipped at 0: `float64 [K]`.

    As in the fusion of speaker detectors (Brümmer and du Preez, Application-independent evaluation of speaker
    detection, 2006). Both kinds of pair count the same; scikit-learn's default penalty keeps the
    coefficients finite where the kinds do not overlap.

    Args:
        pairs: of the members.
        limit: pairs of each kind that are used, see `MemberPairs.similarities`.
        seed: of their drawing; all else is deterministic.

    Raises:
        ModelError: all weights are 0.
    """
    return _shares(pairs, lambda: _coefficients(*pairs.similarities(limit, seed)))


def _coefficients(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> NDArray[np.float64]:
    # imported here because it is slow, and using a model never needs it
    from sklearn.linear_model import LogisticRegression

    targets = np.repeat([1, 0], [len(genuine), len(impostor)])
    regression = LogisticRegression(class_weight="balanced", max_iter=1000)
    coefficients: NDArray[np.float64] = regression.fit(np.concatenate([genuine, impostor]), targets).coef_[0]
    return coefficients


def _shares(pairs: MemberPairs, direction: Callable[[], NDArray[np.floating[Any]]]) -> Weights:
    if len(pairs.names) == 1:
        return np.ones(1)
    clipped = direction().astype(np.float64).clip(min=0)
    if not clipped.any():
        raise ModelError(
            f"members {', '.join(pairs.names)}: every weight is 0 or below, so under no mixture of them are images "
            "of one person more alike than images of two; check the labels, and that the members are trained"
        )
    weights: Weights = clipped / clipped.sum()
    return weights
