"""Measure a model, its members and their combination on identities that none of them has seen."""

from facerec.evaluation.hardest import HardPair, hardest_pairs
from facerec.evaluation.lfw import Lfw, find_images, measure_lfw, pair_columns, read_pairs
from facerec.evaluation.measure import EvaluationSet, Measured, compare, measure, slice_figures
from facerec.evaluation.model_evaluation import Evaluated, embed_splits, evaluate_model
from facerec.evaluation.results import as_csv
from facerec.evaluation.slices import by_attribute, by_images_per_identity
from facerec.evaluation.systems import make_systems
from facerec.evaluation.thresholds import describe_thresholds, takes_thresholds, with_thresholds

__all__ = [
    "Evaluated",
    "EvaluationSet",
    "HardPair",
    "Lfw",
    "Measured",
    "as_csv",
    "by_attribute",
    "by_images_per_identity",
    "compare",
    "describe_thresholds",
    "embed_splits",
    "evaluate_model",
    "find_images",
    "hardest_pairs",
    "make_systems",
    "measure",
    "measure_lfw",
    "pair_columns",
    "read_pairs",
    "slice_figures",
    "takes_thresholds",
    "with_thresholds",
]
