"""Measure a model, its members and their combination on identities that none of them has seen."""

from facerec.evaluation.comparison import Comparison, compare_models
from facerec.evaluation.embedding import embed_all, embed_split, embed_splits
from facerec.evaluation.hardest import HardPair, hardest_pairs
from facerec.evaluation.ijb import measure_ijb
from facerec.evaluation.model_evaluation import Evaluated, evaluate_model
from facerec.evaluation.pair_file import read_pair_file, write_pair_file
from facerec.evaluation.pair_lists import crop_pairs, find_images, pair_columns, read_pairs
from facerec.evaluation.pair_set import PairSet, embed_pair_set
from facerec.evaluation.pair_sets import list_root, measure_pair_sets, open_pair_sets, pair_files, split_by_kind
from facerec.evaluation.parity import Parity, compare_vectors
from facerec.evaluation.results import as_csv
from facerec.evaluation.slices import by_attribute, by_images_per_identity
from facerec.evaluation.thresholds import describe_thresholds, takes_thresholds, with_thresholds

__all__ = [
    "Comparison",
    "Evaluated",
    "HardPair",
    "PairSet",
    "Parity",
    "as_csv",
    "by_attribute",
    "by_images_per_identity",
    "compare_models",
    "compare_vectors",
    "crop_pairs",
    "describe_thresholds",
    "embed_all",
    "embed_pair_set",
    "embed_split",
    "embed_splits",
    "evaluate_model",
    "find_images",
    "hardest_pairs",
    "list_root",
    "measure_ijb",
    "measure_pair_sets",
    "open_pair_sets",
    "pair_columns",
    "pair_files",
    "read_pair_file",
    "read_pairs",
    "split_by_kind",
    "takes_thresholds",
    "with_thresholds",
    "write_pair_file",
]
