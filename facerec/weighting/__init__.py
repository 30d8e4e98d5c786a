"""Weights of the members of an ensemble: moments of their pairs, and weightings that use them."""

from facerec.weighting.moments import MemberPairs, Moments
from facerec.weighting.weightings import equal, fisher, inverse_variance, logistic

__all__ = ["MemberPairs", "Moments", "equal", "fisher", "inverse_variance", "logistic"]
