"""How much each member of an ensemble counts: moments of its pairs, and weightings that read them."""

from facerec.weighting.moments import MemberPairs, Moments
from facerec.weighting.weightings import equal, fisher, inverse_variance, logistic

__all__ = ["MemberPairs", "Moments", "equal", "fisher", "inverse_variance", "logistic"]
