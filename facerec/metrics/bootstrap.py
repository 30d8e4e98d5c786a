"""Bootstrap intervals over identities, because samples of one person are not independent."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import bootstrap

from facerec.errors import DataError


class Interval(NamedTuple):
    """A figure and the limits it lies within."""

    value: float
    low: float
    high: float


def percentile_interval(value: float, drawn: NDArray[np.float64], confidence: float) -> Interval:
    """The interval that holds the middle `confidence` (0..1) of the bootstrap values `[R]`."""
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))


def mean_interval(
    values: ArrayLike,
    identities: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Mean over queries, with a percentile bootstrap interval over identities (Efron & Tibshirani 1993).

    Identities are drawn with replacement and all queries of an identity come along: with sum S_i, count n_i
    and m_i draws of identity i the mean is Σ m_i·S_i / Σ m_i·n_i. Values stay as they were measured, so the
    set that was ranked or enrolled is given: the interval speaks of other queries, not of another gallery.
    It is the percentile interval since it stays defined, of zero width, where all values are equal; BCa does
    not, and asks for a jackknife besides.

    Args:
        values: `float [Q]`, an array or a tensor on the CPU, such as a column of `retrieval_per_query`.
        identities: `int64 [Q]`, the label of each query.
        confidence: share of the draws within the interval.
        resamples: draws.
        seed: of the draws.

    Raises:
        DataError: fewer than two identities.
    """
    values = np.asarray(values, dtype=np.float64)
    names, identity = np.unique(np.asarray(identities), return_inverse=True)
    if len(names) < 2:
        raise DataError(f"an interval over identities needs two of them, not {len(names)}")
    result = bootstrap(
        (np.bincount(identity, values), np.bincount(identity)),
        lambda sums, counts, axis: sums.sum(axis=axis) / counts.sum(axis=axis),
        n_resamples=resamples,
        batch=100,  # bounds the memory at 100 draws
        paired=True,
        vectorized=True,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return Interval(float(values.mean()), *map(float, result.confidence_interval))


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    identities: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """`mean_interval` of mean(a) - mean(b), two models' values `float [Q]` on the same queries.

    Each draw serves both, so what is hard for both cancels out; the ranked set stays as it is.

    Raises:
        DataError: fewer than two identities.
    """
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return mean_interval(difference, identities, confidence=confidence, resamples=resamples, seed=seed)
