"""Verification: error rates over all pairs, with intervals over identities."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facerec.metrics.bootstrap import Interval, percentile_interval
from facerec.metrics.pairs import COARSE_GRID, GRID, PairHistograms

# a pair is accepted at or above a threshold; the last accepts none
_THRESHOLDS = np.append(GRID, 2 - GRID[-2])
# a coarse bin holds similarities half a step to either side
_COARSE_THRESHOLDS = np.append(COARSE_GRID, 2 - COARSE_GRID[-2]) - (COARSE_GRID[1] - COARSE_GRID[0]) / 2


class OperatingPoint(NamedTuple):
    """Shares of accepted impostor (`far`) and genuine (`tar`) pairs when similarity >= threshold accepts."""

    target_far: float
    far: float
    tar: float
    threshold: float


class Roc(NamedTuple):
    """Vertices of the ROC, each `float64 [V]`, from (0, 0) at a threshold just above 1 up to (1, 1)."""

    far: NDArray[np.float64]
    tar: NDArray[np.float64]
    thresholds: NDArray[np.float64]


class VerificationIntervals(NamedTuple):
    """Intervals of the figures; `tar` and `threshold` in the order of the false accept rates asked for."""

    tar: list[Interval]
    threshold: list[Interval]
    equal_error_rate: Interval
    auc: Interval


def operating_points(pairs: PairHistograms, fars: Sequence[float]) -> list[OperatingPoint]:
    """For each rate the lowest threshold on the grid that accepts no larger share of the impostor pairs.

    Where even similarity 1 is too often an impostor's, the threshold is 1 + 2^-16 and accepts nobody.

    Raises:
        ValueError: a rate is not within 0..1.
    """
    far, tar = _accepted(pairs.impostor), _accepted(pairs.genuine)
    places = [(target, int(_first_at_most(far, target))) for target in fars]
    return [OperatingPoint(t, float(far[k]), float(tar[k]), float(_THRESHOLDS[k])) for t, k in places]


def roc(pairs: PairHistograms) -> Roc:
    """The ROC without the points that lie on a straight line between others."""
    occupied = np.flatnonzero(pairs.genuine + pairs.impostor)[::-1]
    steps = np.stack([pairs.impostor[occupied], pairs.genuine[occupied]])
    far, tar = np.pad(steps.cumsum(axis=1), ((0, 0), (1, 0))) / steps.sum(axis=1, keepdims=True)
    # int64 products would overflow; of exact equals the rounded products are equal too
    rise, run = steps[1].astype(np.float64), steps[0].astype(np.float64)
    bends = np.concatenate([[True], rise[:-1] * run[1:] != rise[1:] * run[:-1], [True]])
    return Roc(far[bends], tar[bends], np.concatenate([_THRESHOLDS[-1:], GRID[occupied]])[bends])


def auc(pairs: PairHistograms) -> float:
    """Chance that a genuine pair is more similar than an impostor pair, equals counting half (Mann-Whitney)."""
    return float(_auc(_accepted(pairs.impostor), _accepted(pairs.genuine)))


def equal_error_rate(pairs: PairHistograms) -> float:
    """Where the ROC, straight through ties, has as many false accepts as false rejects."""
    return float(_equal_error_rate(_accepted(pairs.impostor), _accepted(pairs.genuine)))


def verification_intervals(
    pairs: PairHistograms,
    fars: Sequence[float],
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> VerificationIntervals:
    """Percentile bootstrap over identities, since the pairs of one person stand or fall together.

    Identities are drawn with replacement and their pairs follow. Values are those of the full histograms.
    The limits are from the coarse ones, taken as flat within a bin and shifted by the little that this does
    to the value itself. Draws without a genuine or an impostor pair (it takes a handful of identities to get
    one) are passed over. Limits of thresholds err on the wide side, at most by √2, where the impostors above
    one are chance meetings of two identities rather than the pairs of a few lookalikes.

    Args:
        pairs: from `pair_histograms`.
        fars: target false accept rates, each within 0..1.
        resamples: draws.
        seed: of the draws.
        confidence: share of the draws within an interval.

    Raises:
        ValueError: a rate is not within 0..1.
    """
    count = len(pairs.genuine_of)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    # the first row is the sample itself
    drawn = np.vstack([np.ones(count), drawn])
    genuine = drawn @ pairs.genuine_of.astype(np.float64)
    # a pair of i and j weighs m_i·m_j; to first order in both that is 1 + (m_i - 1) + (m_j - 1), which needs
    # no histogram for each two identities. What it leaves out, (m_i - 1)(m_j - 1), has mean nearly zero, and
    # would only add to a width that is too great already: √3 instead of √2 for chance meetings
    impostor_of = pairs.impostor_of.astype(np.float64)
    impostor = (impostor_of.sum(axis=0) / 2 + (drawn - 1) @ impostor_of).clip(min=0)
    usable = (genuine.sum(axis=1) > 0) & (impostor.sum(axis=1) > 0)
    far, tar = _accepted(impostor[usable]), _accepted(genuine[usable])

    def interval(value: float, figure: NDArray[np.float64], lowest: float = 0, highest: float = 1) -> Interval:
        return percentile_interval(value, (value + figure[1:] - figure[0]).clip(lowest, highest), confidence)

    points = operating_points(pairs, fars)
    crossings = [_interpolated(far, tar, point.target_far) for point in points]
    return VerificationIntervals(
        [interval(point.tar, tars) for point, (tars, _) in zip(points, crossings, strict=True)],
        [
            interval(point.threshold, thresholds, _THRESHOLDS[0], _THRESHOLDS[-1])
            for point, (_, thresholds) in zip(points, crossings, strict=True)
        ],
        interval(equal_error_rate(pairs), _equal_error_rate(far, tar)),
        interval(auc(pairs), _auc(far, tar)),
    )


def _accepted(counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of `[..., bins]` at or above each bin, and above the last: `[..., bins + 1]`, from 1 down to 0."""
    above = np.flip(np.flip(counts, -1).cumsum(axis=-1), -1)
    shares: NDArray[np.float64] = above / above[..., :1]
    return np.concatenate([shares, np.zeros_like(shares[..., :1])], axis=-1)


def _first_at_most(far: NDArray[np.float64], target: float) -> NDArray[np.int64]:
    if not 0 <= target <= 1:
        raise ValueError(f"a false accept rate is within 0..1, not {target}")
    place: NDArray[np.int64] = np.argmax(far <= target, axis=-1)
    return place


def _auc(far: NDArray[np.float64], tar: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(-np.trapezoid(tar, far, axis=-1))


def _equal_error_rate(far: NDArray[np.float64], tar: NDArray[np.float64]) -> NDArray[np.float64]:
    # falls from 1 to -1; the last place that is not below 0 begins the step that crosses
    surplus = far - (1 - tar)
    before = (surplus >= 0).sum(axis=-1, keepdims=True) - 1
    (far_0, far_1), (surplus_0, surplus_1) = (
        (np.take_along_axis(values, before, -1), np.take_along_axis(values, before + 1, -1))
        for values in (far, surplus)
    )
    return (far_0 + (far_1 - far_0) * surplus_0 / (surplus_0 - surplus_1))[..., 0]


def _interpolated(
    far: NDArray[np.float64], tar: NDArray[np.float64], target: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """TAR and threshold, each `[R]`, where `far [R, coarse bins + 1]` comes down to the target."""
    after = _first_at_most(far, target)[:, None]
    before = (after - 1).clip(min=0)
    far_0, far_1 = (np.take_along_axis(far, place, 1) for place in (before, after))
    share = np.divide(far_0 - target, far_0 - far_1, out=np.zeros_like(far_0), where=far_0 > far_1)
    tar_0, tar_1 = (np.take_along_axis(tar, place, 1) for place in (before, after))
    threshold = _COARSE_THRESHOLDS[before] + share * (_COARSE_THRESHOLDS[after] - _COARSE_THRESHOLDS[before])
    return (tar_0 + share * (tar_1 - tar_0))[:, 0], threshold[:, 0]
