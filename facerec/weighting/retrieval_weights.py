"""Weights that retrieve best, shrunk towards equal ones by as much as cross-validation finds best."""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facerec.errors import ConfigError
from facerec.weighting.mixed_retrieval import MixedRetrieval
from facerec.weighting.moments import MemberPairs
from facerec.weighting.simplex import Weights, search, without

log = logging.getLogger(__name__)

Shrinking = Callable[[Weights], Weights]

_EQUAL = "equal"
_CLEARLY = 2  # standard errors: nearly 95 % confidence
_SHARES = (0.75, 0.5, 0.25)  # of equal weights in the result; 1 and 0 are tried, too


def retrieval(pairs: MemberPairs, folds: int = 5, limit: int = 3000, seed: int = 0) -> Weights:
    """Weights whose ensemble has the highest MAP@R on these identities: `float64 [K]`, of sum 1.

    A search over the simplex finds the best for Σ w_k c_k; a member whose help is below its standard error over
    identities gets 0. What fits these identities best fits others less well, so the result is (1-s)·best + s·equal,
    where equal are equal weights of all members, or of those that count in the best. Which of both, and which s,
    is decided on the identities of each fold in turn, by weights found on the queries of the others. Equal weights
    of all are kept unless others are clearly better, by two standard errors over identities; of equally good others
    those nearest to equal weights are taken.

    Args:
        pairs: of the members.
        folds: identities are divided into so many.
        limit: images; where there are more, identities are drawn.
        seed: of folds and drawing; all else is deterministic.

    Raises:
        ConfigError: fewer than two folds.
    """
    if folds < 2:
        raise ConfigError(f"weighting.folds must be 2 or more, not {folds}: some are held out, others decide")
    count = len(pairs.names)
    equal = np.full(count, 1 / count)
    if count == 1:
        return equal
    asked = MixedRetrieval(pairs, limit, seed)
    identities = np.random.default_rng(seed).permutation(np.unique(asked.identities))
    if len(identities) < 2:
        log.info("weights: equal, for there is only one identity with two images, too few to compare weights on")
        return equal
    candidates = _shrinkings(count)
    values = {name: np.empty(len(asked.identities)) for name in candidates}
    for fold in np.array_split(identities, min(folds, len(identities))):
        held = np.isin(asked.identities, fold)
        best = _best(asked, ~held, count)
        for name, shrink in candidates.items():
            values[name][held] = asked(shrink(best))[held]
    means = {name: round(float(value.mean()), 9) for name, value in values.items()}
    groups = np.unique(asked.identities, return_inverse=True)[1]
    others = [name for name in candidates if name != _EQUAL]
    better = [name for name in others if _in_standard_errors(values[name] - values[_EQUAL], groups) > _CLEARLY]
    if not better:
        log.info(
            "weights: equal by choice: on held-out ones of %d identities they have MAP@R %.4f, and others at most "
            "%.4f; none are better by two standard errors",
            len(identities),
            means[_EQUAL],
            max(means[name] for name in others),
        )
        return equal
    chosen = max(better, key=lambda name: means[name])  # of equals the first
    best = _best(asked, np.ones(len(asked.identities), bool), count)
    log.info(
        "weights: %s; by cross-validation over %d identities that is MAP@R %.4f, %+.4f of equal weights",
        chosen,
        len(identities),
        means[chosen],
        means[chosen] - means[_EQUAL],
    )
    return candidates[chosen](best)


def _shrinkings(count: int) -> dict[str, Shrinking]:
    """Ways from the best weights to the final ones, by what they are called, from equal weights to the best."""

    def mixed(share: float, used_only: bool) -> Shrinking:
        def shrink(best: Weights) -> Weights:
            alike = best > 0 if used_only else np.ones(count, bool)
            result: Weights = (1 - share) * best + share * alike / alike.sum()
            return result

        return shrink

    made = {_EQUAL: mixed(1, False), "equal of the members that help": mixed(1, True)}
    for share in _SHARES:
        made[f"{1 - share:.0%} the best, {share:.0%} equal"] = mixed(share, False)
        made[f"{1 - share:.0%} the best, {share:.0%} equal of the members that help"] = mixed(share, True)
    return {**made, "the best": mixed(0, False)}


def _best(asked: MixedRetrieval, chosen: NDArray[np.bool_], count: int) -> Weights:
    """Weights of the highest MAP@R on the chosen queries, without members that help less than chance may.

    Args:
        asked: gives the values.
        chosen: `bool [Q]`.
        count: of members.
    """
    best = search(lambda weights: asked(weights)[chosen].mean(), count)
    groups = np.unique(asked.identities[chosen], return_inverse=True)[1]
    while np.count_nonzero(best) > 1:
        fewer = {member: without(best, int(member)) for member in np.flatnonzero(best)}
        gains = {
            member: _in_standard_errors((asked(best) - asked(weights))[chosen], groups)
            for member, weights in fewer.items()
        }
        if gains[least := min(gains, key=lambda member: gains[member])] > 1:
            break
        best = fewer[least]
    return best


def _in_standard_errors(values: NDArray[np.float64], groups: NDArray[np.int64]) -> float:
    """The mean in units of its standard error, where whole groups are drawn; 0 where all are 0."""
    spread = np.bincount(groups, values - values.mean())
    error = float(np.sqrt(np.square(spread).sum())) / len(values)
    mean = float(values.mean())
    return mean / error if error > 0 else np.copysign(np.inf, mean) if mean else 0.0
