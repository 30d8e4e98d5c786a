"""Quality of embeddings: pure functions, and torchmetrics modules over them."""

from facerec.metrics.accuracy import accuracy_unseen, nearest_prototype
from facerec.metrics.modules import RetrievalMetrics, SeenAccuracy
from facerec.metrics.retrieval import PerQuery, RetrievalValues, retrieval_metrics, retrieval_per_query

__all__ = [
    "PerQuery",
    "RetrievalMetrics",
    "RetrievalValues",
    "SeenAccuracy",
    "accuracy_unseen",
    "nearest_prototype",
    "retrieval_metrics",
    "retrieval_per_query",
]
