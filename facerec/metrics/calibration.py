"""Calibration: the probability that two crops of a given similarity show one person."""

from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from facerec.metrics.pairs import GRID, PairHistograms


class Calibration(NamedTuple):
    """Probability = sigmoid(slope · similarity + intercept), when either answer is as likely beforehand."""

    slope: float
    intercept: float

    @overload
    def probability(self, similarity: Tensor) -> Tensor: ...
    @overload
    def probability(self, similarity: NDArray[np.floating]) -> NDArray[np.floating]: ...
    def probability(self, similarity: Tensor | NDArray[np.floating]) -> Tensor | NDArray[np.floating]:
        """Chance, 0..1, that a pair is genuine, for each similarity of a float array or tensor."""
        logit = self.slope * similarity + self.intercept
        if isinstance(logit, Tensor):
            return logit.sigmoid()
        probability: NDArray[np.floating] = expit(logit)
        return probability


class Reliability(NamedTuple):
    """Data of a reliability diagram, in bins of equal width in probability; nan where a bin is empty.

    Attributes:
        confidence: `float64 [bins]`, mean predicted probability.
        accuracy: `float64 [bins]`, observed share of genuine pairs.
        weight: `float64 [bins]`, share of all weight, Σ = 1.
        ece: expected calibration error, Σ weight·|accuracy - confidence| (Naeini et al. 2015).
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    weight: NDArray[np.float64]
    ece: float


def fit_calibration(pairs: PairHistograms) -> Calibration:
    """Logistic regression over all pairs (Platt 1999), without a penalty.

    Genuine pairs together weigh as much as impostor pairs together: a prior of one half. Targets are Platt's,
    (n+1)/(n+2) for n genuine and 1/(n+2) for n impostor pairs: one pair's worth of doubt keeps the slope
    finite where the two do not overlap, and is lost among many pairs.
    """
    similarity, target, weight = [], [], []
    for counts, genuine in ((pairs.genuine, True), (pairs.impostor, False)):
        occupied, total = counts.nonzero()[0], counts.sum()
        for answer, share in ((genuine, (total + 1) / (total + 2)), (not genuine, 1 / (total + 2))):
            similarity.append(GRID[occupied])
            target.append(np.full(len(occupied), answer))
            weight.append(counts[occupied] / total * share)
    samples, weights = np.concatenate(similarity)[:, None], np.concatenate(weight)
    scaler = StandardScaler().fit(samples, sample_weight=weights)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(scaler.transform(samples), np.concatenate(target), weights)
    slope = float(model.coef_[0, 0] / scaler.scale_[0])
    return Calibration(slope, float(model.intercept_[0] - slope * scaler.mean_[0]))


def reliability(calibration: Calibration, pairs: PairHistograms, bins: int = 15) -> Reliability:
    """Compare predicted probabilities with observed shares; genuine and impostor pairs weigh the same in total.

    The pairs should be of identities that the calibration was not fitted on.
    """
    probability = calibration.probability(GRID)
    genuine, impostor = (counts / (2 * counts.sum()) for counts in (pairs.genuine, pairs.impostor))
    hits, weight, promised = (
        np.histogram(probability, bins, (0, 1), weights=values)[0]
        for values in (genuine, genuine + impostor, (genuine + impostor) * probability)
    )
    confidence, accuracy = (
        np.divide(values, weight, out=np.full(bins, np.nan), where=weight > 0) for values in (promised, hits)
    )
    return Reliability(confidence, accuracy, weight, float(np.abs(hits - promised).sum()))
