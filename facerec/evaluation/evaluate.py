"""The whole evaluation of one model on one data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facerec._version import __version__
from facerec.data import FaceImages
from facerec.data.cache import Crops
from facerec.data.splits import choose_identities
from facerec.errors import ModelError
from facerec.evaluation.hardest import HardPair, hardest_pairs
from facerec.evaluation.lfw import Lfw, measure_lfw
from facerec.evaluation.measure import Measured, Sample, compare, measure, slice_figures
from facerec.evaluation.results import decisions_as_plain, plain, systems_as_plain
from facerec.evaluation.slices import by_attribute, by_images_per_identity
from facerec.evaluation.systems import make_systems
from facerec.metrics import pair_histograms
from facerec.models import Model, embed_members
from facerec.runtime.work_shard import WHOLE, Shard
from facerec.weighting import MemberPairs


@dataclass(frozen=True)
class Evaluated:
    """What was measured, and what its pictures are drawn from.

    Attributes:
        results: the content of `metrics.json`.
        measured: each system; the model itself is last.
        similarities: of the same genuine and impostor pairs under the first two members; None for one member.
        hardest: of genuine and of impostor pairs, rows of `images`.
        images: the data set.
        crops: of its images.
    """

    results: dict[str, Any]
    measured: Mapping[str, Measured]
    similarities: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    hardest: tuple[Sequence[HardPair], Sequence[HardPair]]
    images: FaceImages
    crops: Crops


def evaluate_model(
    model: Model,
    images: FaceImages,
    crops: Crops,
    *,
    split: str,
    attributes: Path | None,
    lfw: Lfw | None,
    fars: Sequence[float],
    fpirs: Sequence[float],
    resamples: int,
    seed: int,
    cache: Path,
    batch_size: int,
) -> Evaluated:
    """Measure the model on the identities of `split`; those of "val" calibrate it.

    Args:
        model: of an ensemble, its members and their plain concatenation are measured beside it.
        images: the data set.
        crops: of its images.
        split: "test" or "train".
        attributes: file for slices, see `by_attribute`.
        lfw: pictures and pairs of LFW.
        fars: false accept rates of pairs to find thresholds for.
        fpirs: false positive identification rates of searches to measure at.
        resamples: draws behind each interval.
        seed: of the draws.
        cache: folder of embeddings.
        batch_size: crops on the device at once.

    Raises:
        DataError: too few identities or images, or a file that can't be read.
        ModelError: embeddings of a member are not finite.
    """
    weights = model.weights
    rows, labels = images.rows(split), torch.from_numpy(images.labels())

    embedded = embed_splits(model, images, crops, split=split, cache=cache, batch_size=batch_size)
    for found in embedded.values():
        for name, embeddings in found.items():
            if not embeddings.isfinite().all():
                raise ModelError(f"member {name}: embeddings are not finite; train it again or check its contract")
    calibration = make_systems(embedded["val"], weights)
    by_member = embedded[split]
    systems, ours = make_systems(by_member, weights), labels[rows]
    sample = Sample(ours, torch.from_numpy(_enrolled(images.identities[rows])))
    draws = {"resamples": resamples, "seed": seed}
    measured = {}
    for name, embeddings in systems.items():
        pairs = pair_histograms(calibration[name], labels[images.rows("val")])
        measured[name] = measure(embeddings, sample, pairs, fars=fars, fpirs=fpirs, **draws)
    last = next(reversed(systems))
    slices = by_images_per_identity(ours.numpy())
    if attributes:
        slices |= by_attribute(attributes, [images.files[row].name for row in rows])
    of_slices = slice_figures(measured[last], ours, slices, **draws)
    results = {
        "version": __version__,
        "dataset": images.name,
        "split": split,
        "images": len(rows),
        "identities": len(ours.unique()),
        **draws,
        "systems": systems_as_plain(measured),
        "differences": _differences(measured, list(by_member), ours, draws),
        "slices": {name: {key: plain(of) for key, of in found.items()} for name, found in of_slices.items()},
        "lfw": measure_lfw(lfw, model) if lfw else None,
        **decisions_as_plain(measured[last], fars),
    }
    similarities = None
    if len(by_member) > 1:
        similarities = MemberPairs(list(by_member.values()), ours, list(by_member)).similarities(2000, seed)
    hardest = hardest_pairs(systems[last], ours)
    in_table = tuple(
        [pair._replace(left=int(rows[pair.left]), right=int(rows[pair.right])) for pair in kind] for kind in hardest
    )
    return Evaluated(results, measured, similarities, (in_table[0], in_table[1]), images, crops)


def embed_splits(
    model: Model,
    images: FaceImages,
    crops: Crops,
    *,
    split: str,
    cache: Path,
    batch_size: int,
    shard: Shard = WHOLE,
) -> dict[str, dict[str, Tensor]]:
    """What each member says of the identities of "val" and of `split`; arguments as of `evaluate_model`.

    Args:
        shard: which of the blocks of 4096 images to embed, see `embed_rows`.
    """
    keys = {name: f"{model.fingerprint}/{name}" for name in model.members}
    settings: dict[str, Any] = {"cache": cache, "batch_size": batch_size, "shard": shard}
    return {one: embed_members(model.members, keys, crops, images.rows(one), **settings) for one in ("val", split)}


def _enrolled(identities: NDArray[np.str_]) -> NDArray[np.bool_]:
    """`bool [N]`: images of the half of the identities that is enrolled; all others are strangers."""
    half = choose_identities(identities, len(np.unique(identities)) // 2)
    enrolled: NDArray[np.bool_] = np.isin(identities, half)
    return enrolled


def _differences(
    measured: Mapping[str, Measured], members: list[str], labels: Tensor, draws: Mapping[str, int]
) -> dict[str, dict[str, dict[str, float | None]]]:
    """The ensemble less its best member, and less plain concatenation."""
    if "ensemble" not in measured:
        return {}
    best = max(members, key=lambda name: measured[name].figures["MAP@R"].value)
    against = {f"ensemble over best member ({best})": best, "ensemble over concatenation": "concatenation"}
    found = {
        title: compare(measured["ensemble"], measured[other], labels, **draws) for title, other in against.items()
    }
    return {title: {name: plain(of) for name, of in figures.items()} for title, figures in found.items()}
