"""Decide whether the nearest person is near enough, with thresholds and probabilities that evaluation measured."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from facerec.errors import GalleryError
from facerec.gallery.nearest import Nearest
from facerec.gallery.records import Answer, DecisionRule, Match
from facerec.models.statistics import Statistics

log = logging.getLogger(__name__)
Per = Literal["search", "pair"]
_CERTAIN = 0.01  # of the false accept rate


def comparisons(statistics: Statistics, sizes: Mapping[int, int]) -> float:
    """How many independent comparisons a search is worth.

    The similarity of a person is that of their nearest sample, so each sample gives a stranger one more chance; but
    samples of one person are alike. A person of k samples is worth k^a comparisons, with the exponent a that
    evaluation measured, and one where it measured none.

    Args:
        statistics: of the model.
        sizes: number of samples → how many persons have so many.
    """
    exponent = statistics.sample_exponent or 0.0
    return sum(persons * samples**exponent for samples, persons in sizes.items())


def decide(
    statistics: Statistics,
    persons: int,
    *,
    comparisons: float | None = None,
    far: float = 0.01,
    per: Per = "search",
    threshold: float | None = None,
) -> DecisionRule:
    """The threshold that holds a false accept rate.

    A search accepts a stranger with probability 1 - (1 - FAR)^comparisons. Between two measured rates the threshold
    is interpolated over the logarithm of the rate, and below the lowest it is extrapolated in the same way from the
    lowest two, which the rule says and a warning, too. If only one was measured, it decides.

    Args:
        statistics: of the model, with its thresholds.
        persons: enrolled.
        comparisons: what a search is worth, see `comparisons`; None: one a person.
        far: to hold, above 0 and below 1.
        per: hold it for the whole search, or for one comparison.
        threshold: use this one instead of holding a rate.

    Raises:
        GalleryError: the model was not evaluated, or `far` or `per` is out of range.
    """
    comparisons = persons if comparisons is None else comparisons
    if threshold is not None:
        return DecisionRule(threshold, None, None, persons, comparisons)
    if not 0 < far < 1:
        raise GalleryError(f"far: must lie between 0 and 1, not {far}")
    if per not in ("search", "pair"):
        raise GalleryError(f"per: must be search or pair, not {per!r}")
    points = _measured(statistics)
    strictest = points[0][0]
    wanted = far if per == "pair" else -math.expm1(math.log1p(-far) / max(comparisons, 1))
    reached = wanted if len(points) > 1 else max(wanted, strictest)
    rule = DecisionRule(
        threshold=_similarity(points, reached),
        far=reached,
        search_far=-math.expm1(comparisons * math.log1p(-reached)) if reached < 1 else 1.0,
        persons=persons,
        comparisons=comparisons,
        certain=_similarity(points, reached * _CERTAIN) if len(points) > 1 else None,
        extrapolated=wanted < strictest,
    )
    if rule.extrapolated:
        log.warning(
            "far=%g per %s needs a rate of %.1e for each of %.0f comparisons, and the strictest measured is %.1e: "
            "%s; evaluate on more identities to measure lower rates",
            *(far, per, wanted, comparisons, strictest),
            f"the threshold {rule.threshold:.3f} is extrapolated"
            if len(points) > 1
            else f"a search now accepts a stranger with probability {rule.search_far:.2g}",
        )
    return rule


def answer(nearest: Sequence[Nearest], rule: DecisionRule, statistics: Statistics) -> Answer:
    """Apply a rule to the persons nearest to a vector, nearest first."""
    return Answer(
        tuple(
            Match(
                person, name, similarity, statistics.probability(similarity), similarity >= rule.threshold, ignored
            )
            for person, name, similarity, ignored in nearest
        ),
        rule,
    )


def _similarity(points: Sequence[tuple[float, float]], rate: float) -> float:
    """The threshold at a rate, on straight lines over its logarithm; above the highest rate that of the highest."""
    rates, thresholds = np.array(points).T
    if rate < rates[0] and len(rates) > 1:
        slope = (thresholds[0] - thresholds[1]) / math.log(rates[1] / rates[0])
        reached = float(thresholds[0] + slope * math.log(rates[0] / rate))
        return max(float(thresholds[0]), min(1.0, reached))  # equal vectors are one person
    return float(np.interp(math.log(rate), np.log(rates), thresholds))


def _measured(statistics: Statistics) -> list[tuple[float, float]]:
    """(rate, threshold), lowest rate first, without those that evaluation could not reach."""
    points = [
        (point.far, point.threshold)
        for point in statistics.thresholds
        if point.threshold is not None and math.isfinite(point.threshold)
    ]
    if not points:
        cure = "run `python -m facerec.evaluate` on the model, or give threshold="
        raise GalleryError(f"the model's statistics.json has no thresholds; {cure}")
    return sorted(points)
