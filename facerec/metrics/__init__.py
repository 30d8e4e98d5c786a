"""Metrics of embeddings: pure functions, and torchmetrics modules that use them."""

from facerec.metrics.accuracy import PerProbe, accuracy_unseen, nearest_prototype, unseen_per_probe
from facerec.metrics.bootstrap import Interval, mean_interval, paired_difference
from facerec.metrics.calibration import Calibration, Reliability, fit_calibration, reliability
from facerec.metrics.folds import FoldAccuracy, accuracy_interval, fold_accuracy, tenths
from facerec.metrics.groups import Agreement, b_cubed, pairwise_agreement
from facerec.metrics.identification import (
    IdentificationPoint,
    Probes,
    identification_points,
    open_set_probes,
)
from facerec.metrics.modules import RetrievalMetrics, SeenAccuracy
from facerec.metrics.pairs import COARSE_GRID, GRID, PairHistograms, listed_pair_histograms, pair_histograms
from facerec.metrics.retrieval import PerQuery, RetrievalValues, retrieval_metrics, retrieval_per_query
from facerec.metrics.samples import sample_exponent
from facerec.metrics.verification import (
    OperatingPoint,
    Roc,
    VerificationIntervals,
    auc,
    equal_error_rate,
    operating_points,
    roc,
    verification_intervals,
)

__all__ = [
    "COARSE_GRID",
    "GRID",
    "Agreement",
    "Calibration",
    "FoldAccuracy",
    "IdentificationPoint",
    "Interval",
    "OperatingPoint",
    "PairHistograms",
    "PerProbe",
    "PerQuery",
    "Probes",
    "Reliability",
    "RetrievalMetrics",
    "RetrievalValues",
    "Roc",
    "SeenAccuracy",
    "VerificationIntervals",
    "accuracy_interval",
    "accuracy_unseen",
    "auc",
    "b_cubed",
    "equal_error_rate",
    "fit_calibration",
    "fold_accuracy",
    "identification_points",
    "listed_pair_histograms",
    "mean_interval",
    "nearest_prototype",
    "open_set_probes",
    "operating_points",
    "pair_histograms",
    "paired_difference",
    "pairwise_agreement",
    "reliability",
    "retrieval_metrics",
    "retrieval_per_query",
    "roc",
    "sample_exponent",
    "tenths",
    "unseen_per_probe",
    "verification_intervals",
]
