"""From trained members to one embedder: their embeddings, pair statistics, weights, product."""

from facerec.ensemble.embeddings import embed_members, embed_rows, embeddings_key
from facerec.ensemble.pairs import MemberPairs, Moments
from facerec.ensemble.product import Ensemble
from facerec.ensemble.weights import equal, fisher, inverse_variance, logistic

__all__ = [
    "Ensemble",
    "MemberPairs",
    "Moments",
    "embed_members",
    "embed_rows",
    "embeddings_key",
    "equal",
    "fisher",
    "inverse_variance",
    "logistic",
]
