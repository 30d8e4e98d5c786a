"""The protocol of Labeled Faces in the Wild: thresholds from the other folds, accuracy on this one."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facerec.errors import DataError
from facerec.metrics.bootstrap import Interval, percentile_interval

_DRAWS = 100  # at once, which bounds the memory


class FoldAccuracy(NamedTuple):
    """Accuracy over F folds.

    Attributes:
        mean: of the folds.
        std: sample standard deviation of the folds.
        standard_error: of the mean, std / √F; LFW is reported as mean ± this.
        accuracies: `float64 [F]`, in the order of fold numbers.
        thresholds: `float64 [F]`, each found on the other folds.
        right: `bool [P]`, whether each pair is called what it is.
    """

    mean: float
    std: float
    standard_error: float
    accuracies: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    right: NDArray[np.bool_]


def tenths(count: int) -> NDArray[np.int64]:
    """Ten folds of consecutive pairs, as InsightFace divides its pair sets: `int64 [count]`, 0..9.

    The first `count % 10` folds have one pair more than the others.
    """
    return np.repeat(np.arange(10), [len(part) for part in np.array_split(np.arange(count), 10)])


def fold_accuracy(similarity: ArrayLike, same: ArrayLike, fold: ArrayLike) -> FoldAccuracy:
    """Verification accuracy as Huang et al. 2007 measure it, in View 2 of LFW.

    A pair is called the same person if its similarity reaches the threshold. For each fold that is the one
    with the most right answers on all other folds: halfway between two neighbouring similarities, or -1 to
    accept all, or just above 1 to accept none; of equally good ones the lowest.

    Args:
        similarity: `float [P]`, cosines; clamped to -1..1.
        same: `bool [P]`, whether a pair is one person.
        fold: `int [P]`, any numbers.

    Raises:
        DataError: fewer than two folds.
    """
    similarity = np.clip(np.asarray(similarity, dtype=np.float64), -1, 1)
    same, fold = np.asarray(same, dtype=bool), np.asarray(fold)
    folds = np.unique(fold)
    if len(folds) < 2:
        raise DataError(
            f"the pairs have {len(folds)} fold, and a threshold is found on others: give a second pairs file"
        )
    held = fold == folds[:, None]
    thresholds = np.array([best_threshold(similarity[~rows], same[~rows]) for rows in held])
    right = (similarity >= thresholds[np.searchsorted(folds, fold)]) == same
    accuracies = np.array([right[rows].mean() for rows in held])
    std = float(accuracies.std(ddof=1))
    return FoldAccuracy(float(accuracies.mean()), std, std / len(folds) ** 0.5, accuracies, thresholds, right)


def accuracy_interval(
    accuracy: FoldAccuracy,
    same: ArrayLike,
    fold: ArrayLike,
    identities: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The mean of the folds with a percentile bootstrap interval over identities, the thresholds held.

    Identities are drawn with replacement and their pairs follow: with m_i draws of identity i, a genuine pair of i
    weighs m_i, and an impostor pair of i and j 1 + (m_i - 1) + (m_j - 1), as in `verification_intervals`. That errs
    on the wide side, by √2 at most, where impostor pairs are chance meetings. A fold without a pair in a draw is
    left out of that draw's mean.

    Args:
        accuracy: of the pairs.
        same: `bool [P]`, whether a pair is one person.
        fold: `int [P]`.
        identities: `int [P, 2]`, who is in the two images of a pair.
        confidence: share of the draws within the interval.
        resamples: draws.
        seed: of the draws.
    """
    same, folds = np.asarray(same, dtype=bool), np.unique(np.asarray(fold))
    names, place = np.unique(np.asarray(identities), return_inverse=True)
    left, right = place.reshape(-1, 2).T
    in_fold = (np.asarray(fold)[:, None] == folds).astype(np.float64)
    random, shares = np.random.default_rng(seed), np.full(len(names), 1 / len(names))
    drawn = []
    for start in range(0, resamples, _DRAWS):
        draws = random.multinomial(len(names), shares, min(_DRAWS, resamples - start)).astype(np.float64)
        weights = np.where(same, draws[:, left], draws[:, left] + draws[:, right] - 1)
        pairs = weights @ in_fold
        judged_right = (weights * accuracy.right) @ in_fold
        shown = pairs > 0
        of_fold = np.divide(judged_right, pairs, out=np.zeros_like(pairs), where=shown)
        some = shown.any(axis=1)
        drawn.append(of_fold[some].clip(0, 1).sum(axis=1) / shown[some].sum(axis=1))
    return percentile_interval(accuracy.mean, np.concatenate(drawn), confidence)


def best_threshold(similarity: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """The threshold with the most right answers; `float64 [P]` within -1..1 and `bool [P]`."""
    values, place = np.unique(similarity, return_inverse=True)
    genuine, impostor = (
        np.bincount(place[same], minlength=len(values)),
        np.bincount(place[~same], minlength=len(values)),
    )
    # k-th candidate: the k lowest values are refused
    right = np.pad(impostor.cumsum(), (1, 0)) + genuine.sum() - np.pad(genuine.cumsum(), (1, 0))
    # between direct neighbours among the floats there is no middle, and the upper one parts them
    middles = np.maximum((values[1:] + values[:-1]) / 2, np.nextafter(values[:-1], 2))
    candidates = np.concatenate([[-1.0], middles, [np.nextafter(1.0, 2)]])
    return float(candidates[right.argmax()])
