"""The protocol of Labeled Faces in the Wild: thresholds from the other folds, accuracy on this one."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facerec.errors import DataError


class FoldAccuracy(NamedTuple):
    """Accuracy over F folds.

    Attributes:
        mean: of the folds.
        std: sample standard deviation of the folds.
        standard_error: of the mean, std / √F; LFW is reported as mean ± this.
        accuracies: `float64 [F]`, in the order of fold numbers.
        thresholds: `float64 [F]`, each found on the other folds.
    """

    mean: float
    std: float
    standard_error: float
    accuracies: NDArray[np.float64]
    thresholds: NDArray[np.float64]


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
    accuracies = np.array(
        [
            np.mean((similarity[rows] >= threshold) == same[rows])
            for rows, threshold in zip(held, thresholds, strict=True)
        ]
    )
    std = float(accuracies.std(ddof=1))
    return FoldAccuracy(float(accuracies.mean()), std, std / len(folds) ** 0.5, accuracies, thresholds)


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
