"""Weights of the members of an ensemble: their pairs and moments, and weightings that use them."""

from facerec.weighting.moments import MemberPairs, Moments
from facerec.weighting.retrieval_weights import retrieval
from facerec.weighting.weightings import equal, fisher, inverse_variance, logistic

__all__ = ["MemberPairs", "Moments", "equal", "fisher", "inverse_variance", "logistic", "retrieval"]
