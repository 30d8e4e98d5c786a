"""Evaluate one model, with its members and their concatenation, on one data set."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facerec._version import __version__
from facerec.data import FaceImages
from facerec.data.live_crops import DatasetCrops
from facerec.evaluation.embedding import embed_splits
from facerec.evaluation.hardest import HardPair, hardest_pairs
from facerec.evaluation.measure import EvaluationSet, Measured, compare, measure, slice_figures
from facerec.evaluation.pair_set import PairSet
from facerec.evaluation.pair_sets import measure_pair_sets
from facerec.evaluation.results import decisions_as_plain, figures_as_plain, systems_as_plain
from facerec.evaluation.slices import make_slices
from facerec.evaluation.systems import make_systems
from facerec.metrics import pair_histograms
from facerec.models import Model
from facerec.weighting import MemberPairs


@dataclass(frozen=True)
class Evaluated:
    """What was measured, and what the charts are drawn from.

    Attributes:
        results: the content of `metrics.json`.
        measured: each system; the model itself is last.
        similarities: of genuine and of impostor pairs, `float64 [P, K]`, a column a member; None for one member.
        hardest: genuine pairs, then impostor pairs, by rows of `images`.
        images: the data set.
        crops: of its images.
    """

    results: dict[str, Any]
    measured: Mapping[str, Measured]
    similarities: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    hardest: tuple[Sequence[HardPair], Sequence[HardPair]]
    images: FaceImages
    crops: DatasetCrops


def evaluate_model(
    model: Model,
    images: FaceImages,
    crops: DatasetCrops,
    *,
    split: str,
    attributes: Path | None,
    pair_sets: Iterable[PairSet],
    fars: Sequence[float],
    fpirs: Sequence[float],
    resamples: int,
    seed: int,
    cache: Path,
    batch_size: int,
) -> Evaluated:
    """Measure the model on the identities of `split`; probabilities are calibrated on those of "val".

    Args:
        model: if it is an ensemble, its members and their plain concatenation are measured beside it.
        images: the data set.
        crops: of its images.
        split: "test" or "train".
        attributes: file for slices, see `make_slices`.
        pair_sets: to measure on, too.
        fars: false accept rates of pairs to find thresholds for.
        fpirs: false positive identification rates of searches to measure at.
        resamples: bootstrap draws behind each interval.
        seed: of the draws.
        cache: folder of embeddings.
        batch_size: crops on the device at once.

    Raises:
        DataError: too few identities or images, or a file that can't be read.
        ModelError: embeddings of a member are not finite.
    """
    weights = model.weights
    draws = {"resamples": resamples, "seed": seed}
    # before what takes long: a file may be damaged
    of_pair_sets = measure_pair_sets(pair_sets, model, fars=fars, **draws)
    rows, labels = images.rows(split), torch.from_numpy(images.labels())

    embedded = embed_splits(model, images, crops, split=split, cache=cache, batch_size=batch_size)
    calibration = make_systems(embedded["val"], weights)
    by_member = embedded[split]
    systems = make_systems(by_member, weights)
    evaluated = EvaluationSet.of(images, split, labels)
    measured = {}
    for name, embeddings in systems.items():
        pairs = pair_histograms(torch.from_numpy(calibration[name]), labels[images.rows("val")])
        measured[name] = measure(torch.from_numpy(embeddings), evaluated, pairs, fars=fars, fpirs=fpirs, **draws)
    last = next(reversed(systems))
    slices = make_slices(images, split, evaluated.labels.numpy(), attributes)
    by_slice = slice_figures(measured[last], evaluated.labels, slices, **draws)
    results = {
        "version": __version__,
        "dataset": images.name,
        "split": split,
        "images": len(rows),
        "identities": len(evaluated.labels.unique()),
        **draws,
        "systems": systems_as_plain(measured),
        "differences": _differences(measured, list(by_member), evaluated.labels, draws),
        "slices": {name: figures_as_plain(figures) for name, figures in by_slice.items()},
        "pair_sets": of_pair_sets,
        **decisions_as_plain(measured[last], fars),
    }
    similarities = None
    if len(by_member) > 1:
        similarities = MemberPairs(list(by_member.values()), evaluated.labels, list(by_member)).similarities(
            2000, seed
        )
    genuine, impostor = (
        [pair._replace(left=int(rows[pair.left]), right=int(rows[pair.right])) for pair in pairs]
        for pairs in hardest_pairs(torch.from_numpy(systems[last]), evaluated.labels)
    )
    return Evaluated(results, measured, similarities, (genuine, impostor), images, crops)


def _differences(
    measured: Mapping[str, Measured], members: list[str], labels: Tensor, draws: Mapping[str, int]
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Figures of the ensemble minus those of its best member, and minus those of plain concatenation."""
    if "ensemble" not in measured:
        return {}
    best = max(members, key=lambda name: measured[name].figures["MAP@R"].value)
    baselines = {f"ensemble over best member ({best})": best, "ensemble over concatenation": "concatenation"}
    return {
        title: figures_as_plain(compare(measured["ensemble"], measured[baseline], labels, **draws))
        for title, baseline in baselines.items()
    }
