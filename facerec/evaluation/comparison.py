"""Several models on the same images: figures, paired differences, and error rates by slice."""

import statistics
import time
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
from facerec.evaluation.measure import EvaluationSet, Measured, compare, measure
from facerec.evaluation.pair_set import PairSet
from facerec.evaluation.pair_sets import measure_pair_sets
from facerec.evaluation.results import figures_as_plain, systems_as_plain
from facerec.evaluation.slices import make_slices
from facerec.evaluation.systems import model_embeddings
from facerec.metrics import GRID, pair_histograms
from facerec.models import Model

_FEWEST = 100  # genuine and impostor pairs of a slice that says something
_TIMED = (1, 64)  # crops at once


@dataclass(frozen=True)
class Comparison:
    """What was measured, and what the charts are drawn from.

    Attributes:
        results: the content of `metrics.json`.
        measured: each model.
    """

    results: dict[str, Any]
    measured: Mapping[str, Measured]


def compare_models(
    models: Mapping[str, Model],
    images: FaceImages,
    crops: DatasetCrops,
    *,
    split: str,
    attributes: Path | None,
    pair_sets: Iterable[PairSet],
    far: float,
    fars: Sequence[float],
    fpirs: Sequence[float],
    resamples: int,
    seed: int,
    cache: Path,
    batch_size: int,
) -> Comparison:
    """Measure the models on the identities of `split`, and each beside the one with the highest MAP@R.

    Args:
        models: by the names that they are shown with.
        images: the data set.
        crops: of its images.
        split: "test" or "train".
        attributes: file for slices, see `make_slices`.
        pair_sets: to measure accuracy on, too; one at a time is in memory.
        far: false accept rate over all pairs, at whose threshold slices are measured.
        fars: false accept rates of pairs that are shown.
        fpirs: false positive identification rates of searches that are shown.
        resamples: bootstrap draws behind each interval.
        seed: of the draws.
        cache: folder of embeddings.
        batch_size: crops on the device at once.

    Raises:
        DataError: too few identities or images, or a file that can't be read.
    """
    rows, labels = images.rows(split), torch.from_numpy(images.labels())
    evaluated = EvaluationSet.of(images, split, labels)
    slices = make_slices(images, split, evaluated.labels.numpy(), attributes)
    draws = {"resamples": resamples, "seed": seed}
    shown = sorted({far, *fars}, reverse=True)
    measured, by_slice, about = {}, {}, {}
    for name, model in models.items():
        embedded = embed_splits(model, images, crops, split=split, cache=cache, batch_size=batch_size)
        val, chosen = (model_embeddings(embedded[part], model.weights) for part in ("val", split))
        pairs = pair_histograms(torch.from_numpy(val), labels[images.rows("val")])
        vectors = torch.from_numpy(chosen)
        measured[name] = measure(vectors, evaluated, pairs, fars=shown, fpirs=fpirs, **draws)
        threshold = measured[name].verification.threshold[shown.index(far)].value
        by_slice[name] = slice_errors(vectors, evaluated.labels, slices, threshold)
        about[name] = {"threshold": threshold, "dim": model.dim, **_cost(model, crops, rows)}
    best = max(measured, key=lambda name: measured[name].figures["MAP@R"].value)
    differences = {
        f"{name} over {best}": figures_as_plain(compare(measured[name], measured[best], evaluated.labels, **draws))
        for name in measured
        if name != best
    }
    results = {
        "version": __version__,
        "dataset": images.name,
        "split": split,
        "images": len(rows),
        "identities": len(evaluated.labels.unique()),
        "best": best,
        "far": far,
        **draws,
        "systems": systems_as_plain(measured),
        "differences": differences,
        "pair_sets": {pair_set.name: _on_pairs(pair_set, models, shown, draws) for pair_set in pair_sets},
        "slices": by_slice,
        "worst": {name: worst_slices(errors) for name, errors in by_slice.items()},
        "models": about,
    }
    return Comparison(results, measured)


def _on_pairs(
    pair_set: PairSet, models: Mapping[str, Model], fars: Sequence[float], draws: Mapping[str, int]
) -> dict[str, Any]:
    """As `measure_pair_sets` has one set, with the models as its systems."""
    measured: dict[str, Any] = {}
    systems = {}
    for name, model in models.items():
        [measured] = measure_pair_sets([pair_set], model, fars=fars, **draws).values()
        systems[name] = list(measured["systems"].values())[-1]
    return {**measured, "systems": systems}


def slice_errors(
    embeddings: Tensor, labels: Tensor, slices: Mapping[str, NDArray[np.bool_]], threshold: float
) -> dict[str, dict[str, float]]:
    """False accept and false reject rate of the pairs within each slice, at one threshold for all of them.

    Args:
        embeddings: unit `float32 [N, d]`.
        labels: `int64 [N]`.
        slices: name → `bool [N]`; one with fewer than 100 genuine or impostor pairs is left out.
        threshold: a pair is accepted at or above it.
    """
    accepted = threshold <= GRID
    errors = {}
    for name, chosen in {"all": np.ones(len(labels), bool), **slices}.items():
        _, counts = np.unique(labels.numpy()[chosen], return_counts=True)
        genuine = int((counts * (counts - 1) // 2).sum())
        impostor = int(chosen.sum() * (chosen.sum() - 1) // 2) - genuine
        if min(genuine, impostor) < _FEWEST and name != "all":
            continue
        rows = torch.from_numpy(np.flatnonzero(chosen))
        pairs = pair_histograms(embeddings[rows], labels[rows])
        errors[name] = {
            "FAR": float(pairs.impostor[accepted].sum() / impostor),
            "FRR": float(pairs.genuine[~accepted].sum() / genuine),
            "genuine": genuine,
            "impostor": impostor,
        }
    return errors


def worst_slices(errors: Mapping[str, Mapping[str, float]]) -> dict[str, str | None]:
    """FAR and FRR → the slice where it is highest; None if there are no slices."""
    worst: dict[str, str | None] = {}
    for rate in ("FAR", "FRR"):
        by_name = {name: values[rate] for name, values in errors.items() if name != "all"}
        worst[rate] = max(by_name, key=by_name.__getitem__) if by_name else None
    return worst


def _cost(model: Model, crops: DatasetCrops, rows: NDArray[np.int64]) -> dict[str, float]:
    """Milliseconds a crop, some crops at once; medians of five."""
    cost = {}
    for count in _TIMED:
        given = crops[rows[np.arange(count) % len(rows)]]
        model.embed(given)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            model.embed(given)
            times.append(1000 * (time.perf_counter() - start) / count)
        cost[f"ms_at_{count}"] = statistics.median(times)
    return cost
