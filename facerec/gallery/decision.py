"""Decide whether the nearest person is near enough, with thresholds and probabilities that evaluation measured."""

import logging
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from facerec.errors import GalleryError
from facerec.gallery.nearest import Nearest
from facerec.gallery.records import Answer, DecisionRule, Match
from facerec.models.statistics import Statistics

log = logging.getLogger(__name__)
Per = Literal["search", "pair"]


def decide(
    statistics: Statistics, persons: int, *, far: float = 0.01, per: Per = "search", threshold: float | None = None
) -> DecisionRule:
    """The threshold that holds a false accept rate.

    A search compares with every person enrolled, so it accepts a stranger with probability 1 - (1 - FAR)^persons.
    Between two measured rates the threshold is interpolated over the logarithm of the rate. If the rate asked for
    is lower than any measured, the lowest is used, the rule says what that holds, and a warning is logged.

    Args:
        statistics: of the model, with its thresholds.
        persons: enrolled.
        far: to hold, above 0 and below 1.
        per: hold it for the whole search, or for one pair.
        threshold: use this one instead of holding a rate.

    Raises:
        GalleryError: the model was not evaluated, or `far` or `per` is out of range.
    """
    if threshold is not None:
        return DecisionRule(threshold, None, None, persons)
    if not 0 < far < 1:
        raise GalleryError(f"far: must lie between 0 and 1, not {far}")
    if per not in ("search", "pair"):
        raise GalleryError(f"per: must be search or pair, not {per!r}")
    rates, thresholds = np.array(_measured(statistics)).T
    wanted = far if per == "pair" else -math.expm1(math.log1p(-far) / max(persons, 1))
    reached = max(wanted, float(rates[0]))
    rule = DecisionRule(
        threshold=float(np.interp(math.log(reached), np.log(rates), thresholds)),
        far=reached,
        search_far=-math.expm1(persons * math.log1p(-reached)) if reached < 1 else 1.0,
        persons=persons,
    )
    if reached > wanted:
        log.warning(
            "far=%g per %s needs a rate of %.1e for each of %d persons, and the strictest measured is %.1e: "
            "a search now accepts a stranger with probability %.2g; evaluate on more identities to measure "
            "lower rates",
            *(far, per, wanted, persons, reached, rule.search_far),
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
