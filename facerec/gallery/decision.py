"""Is the nearest person near enough? Thresholds and probabilities that evaluation measured."""

import logging
import math
from typing import Literal

import numpy as np

from facerec.errors import GalleryError
from facerec.gallery.records import Rule
from facerec.models.statistics import Statistics

log = logging.getLogger(__name__)


def decide(
    statistics: Statistics, persons: int, *, far: float = 0.01, per: Literal["search", "pair"] = "search"
) -> Rule:
    """The threshold that holds a false accept rate.

    A search compares with every person enrolled, so it accepts a stranger with 1 - (1 - FAR)^persons. Between
    two measured rates the threshold is interpolated over the logarithm of the rate. Where the rate asked for
    is stricter than any measured, the strictest is taken, the rule says what that holds, and a warning is
    logged.

    Args:
        statistics: of the model, with its thresholds.
        persons: enrolled.
        far: to hold, above 0 and below 1.
        per: hold it for the whole search, or for one pair.

    Raises:
        GalleryError: the model was not evaluated, or `far` or `per` is out of range.
    """
    if not 0 < far < 1:
        raise GalleryError(f"far: must lie between 0 and 1, not {far}")
    if per not in ("search", "pair"):
        raise GalleryError(f"per: must be search or pair, not {per!r}")
    measured = _measured(statistics)
    rates, thresholds = np.array(measured).T
    wanted = far if per == "pair" else -math.expm1(math.log1p(-far) / max(persons, 1))
    reached = max(wanted, float(rates[0]))
    rule = Rule(
        threshold=float(np.interp(math.log(reached), np.log(rates), thresholds)),
        far=reached,
        search_far=-math.expm1(persons * math.log1p(-reached)) if reached < 1 else 1.0,
        persons=persons,
    )
    if reached > wanted:
        log.warning(
            "far=%g per %s needs a rate of %.1e for each of %d persons, and the strictest measured is %.1e: "
            "a search now accepts a stranger with %.2g; evaluate on more identities to measure stricter ones",
            *(far, per, wanted, persons, reached, rule.search_far),
        )
    return rule


def _measured(statistics: Statistics) -> list[tuple[float, float]]:
    """(rate, threshold), strictest first; what evaluation could not reach is left out."""
    points = [
        (point.far, point.threshold)
        for point in statistics.thresholds
        if point.threshold is not None and math.isfinite(point.threshold)
    ]
    if not points:
        cure = "run `python -m facerec.evaluate` on it, or give threshold="
        raise GalleryError(f"statistics.json of the model has no thresholds; {cure}")
    return sorted(points)
