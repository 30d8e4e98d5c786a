"""Measure a model, its members and their combination on identities that none of them has seen."""

from facerec.evaluation.hardest import HardPair, hardest_pairs
from facerec.evaluation.lfw import Lfw, find_images, pair_columns, read_pairs
from facerec.evaluation.model_evaluation import Evaluated, embed_all, embed_splits, evaluate_model
from facerec.evaluation.results import as_csv
from facerec.evaluation.slices import by_attribute, by_images_per_identity
from facerec.evaluation.thresholds import describe_thresholds, takes_thresholds, with_thresholds

__all__ = [
    "Evaluated",
    "HardPair",
    "Lfw",
    "as_csv",
    "by_attribute",
    "by_images_per_identity",
    "describe_thresholds",
    "embed_all",
    "embed_splits",
    "evaluate_model",
    "find_images",
    "hardest_pairs",
    "pair_columns",
    "read_pairs",
    "takes_thresholds",
    "with_thresholds",
]
