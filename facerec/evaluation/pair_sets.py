"""Pair sets from files of both kinds, and what is measured on them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facerec.errors import ConfigError
from facerec.evaluation.pair_file import read_pair_file
from facerec.evaluation.pair_lists import crop_pairs, read_pairs
from facerec.evaluation.pair_set import PairSet, embed_pair_set
from facerec.evaluation.results import figures_as_plain
from facerec.evaluation.systems import make_systems
from facerec.faces import Detector
from facerec.metrics import Interval, accuracy_interval, listed_pair_histograms, verification_intervals
from facerec.models import Model


def pair_files(files: str | Sequence[str] | None, root: str | None) -> tuple[list[Path], Path | None]:
    """One file or several, and the folder of the images of those that are lists, as they are configured."""
    given = [files] if isinstance(files, str) else files or ()
    return [Path(file) for file in given], Path(root) if root else None


def split_by_kind(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Files `.bin` of InsightFace, and lists of pairs as LFW has them, which all others are.

    Raises:
        ConfigError: two pair sets would have one name; all lists together are one set.
    """
    binary = [file for file in files if file.suffix == ".bin"]
    lists = [file for file in files if file.suffix != ".bin"]
    names = Counter([file.stem for file in binary] + [list_name(lists)] * bool(lists))
    if twice := [name for name, count in names.items() if count > 1]:
        raise ConfigError(f"pairs: there are two sets called {twice[0]}; rename a file")
    return binary, lists


def list_name(lists: Iterable[Path]) -> str:
    """Name of the pair set that lists make together."""
    return "+".join(file.stem for file in lists)


def open_pair_sets(
    files: Sequence[Path], root: Path | None, make_detector: Callable[[], Detector]
) -> Iterator[PairSet]:
    """The pair sets of the files, one after the other; all lists together are one set, the last.

    Args:
        files: `.bin` files and lists, see `split_by_kind`.
        root: the folder of the images of the lists.
        make_detector: gives what finds the faces in them.

    Raises:
        ConfigError: two sets have one name, or there are lists but no `root`.
        DataError: as `read_pair_file`, `read_pairs` and `crop_pairs`.
    """
    binary, lists = split_by_kind(files)
    folder = list_root(lists, root)
    for file in binary:
        yield read_pair_file(file)
    if lists:
        yield crop_pairs(list_name(lists), read_pairs(lists), folder, make_detector())


def list_root(lists: Sequence[Path], root: Path | None) -> Path:
    """The folder of the images of the lists.

    Raises:
        ConfigError: there are lists, but no such folder is given.
    """
    if lists and root is None:
        raise ConfigError(f"pairs_root: must be given, the folder of the images of {lists[0].name}")
    return root or Path()


def measure_pair_sets(
    pair_sets: Iterable[PairSet], model: Model, *, fars: Sequence[float], resamples: int, seed: int
) -> dict[str, Any]:
    """Name → plain values: what is in each set, and the figures of every system.

    A system has `figures` with intervals over identities (accuracy, TAR at each false accept rate that is at least
    one impostor pair, EER, AUC), and, of the folds, `std`, `standard_error`, `accuracies` and `thresholds`.

    Args:
        pair_sets: are taken one after the other, so that one at a time is in memory.
        model: if it is an ensemble, its members and their plain concatenation are measured beside it.
        fars: false accept rates.
        resamples: bootstrap draws behind each interval.
        seed: of the draws.

    Raises:
        DataError: a set has fewer than two folds.
        ModelError: embeddings are not finite.
    """
    draws = {"resamples": resamples, "seed": seed}
    return {pair_set.name: _measure(pair_set, model, fars, draws) for pair_set in pair_sets}


def _measure(pair_set: PairSet, model: Model, fars: Sequence[float], draws: dict[str, int]) -> dict[str, Any]:
    by_member = {name: embed_pair_set(pair_set, member, name) for name, member in model.members.items()}
    impostors = int((~pair_set.same).sum())
    reached = [far for far in fars if far * impostors >= 1]
    systems = {}
    for name, embeddings in make_systems(by_member, model.weights).items():
        accuracy = pair_set.accuracy(embeddings)
        people = pair_set.pair_identities
        counts = listed_pair_histograms(pair_set.similarities(embeddings), pair_set.same, people)
        verification = verification_intervals(counts, reached, **draws)
        figures: dict[str, Interval] = {
            "accuracy": accuracy_interval(accuracy, pair_set.same, pair_set.fold, people, **draws),
            **{f"TAR@FAR={far:g}": tar for far, tar in zip(reached, verification.tar, strict=True)},
            "EER": verification.equal_error_rate,
            "AUC": verification.auc,
        }
        of_folds = {key: getattr(accuracy, key) for key in ("std", "standard_error", "accuracies", "thresholds")}
        systems[name] = {
            "figures": figures_as_plain(figures),
            **{key: np.asarray(value).tolist() for key, value in of_folds.items()},
        }
    return {
        "pairs": len(pair_set.same),
        "impostor_pairs": impostors,
        "images": len(pair_set.crops),
        "missing": pair_set.missing,
        "faceless": pair_set.faceless,
        "systems": systems,
    }
