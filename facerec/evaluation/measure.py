"""Everything that is measured of one system on one evaluation set."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facerec.data import FaceImages
from facerec.data.splits import choose_identities
from facerec.metrics import (
    Calibration,
    Interval,
    PairHistograms,
    PerProbe,
    PerQuery,
    Reliability,
    VerificationIntervals,
    fit_calibration,
    identification_points,
    mean_interval,
    open_set_probes,
    operating_points,
    pair_histograms,
    paired_difference,
    reliability,
    retrieval_per_query,
    sample_exponent,
    unseen_per_probe,
    verification_intervals,
)

_EXPONENT_FARS = (1e-4, 1e-3, 1e-2)


class EvaluationSet(NamedTuple):
    """N images of identities the model was not trained on.

    Attributes:
        labels: `int64 [N]`.
        known: `bool [N]`, images of the identities that are enrolled for open-set identification.
    """

    labels: Tensor
    known: Tensor

    @classmethod
    def of(cls, images: FaceImages, split: str, labels: Tensor) -> "EvaluationSet":
        """The images of a split, with half of its identities enrolled; `labels` are those of all images."""
        rows = images.rows(split)
        identities = images.identities[rows]
        half = choose_identities(identities, len(np.unique(identities)) // 2)
        return cls(labels[rows], torch.from_numpy(np.isin(identities, half)))


class Measured(NamedTuple):
    """One system on one evaluation set.

    Attributes:
        figures: by name, each with its interval.
        per_query: retrieval of each query, for comparisons and slices.
        per_probe: A@1/unseen of each probe.
        pairs: histograms of all pairs.
        verification: error rates and thresholds with intervals, at the false accept rates asked for.
        sample_exponent: how the number of a person's samples enters a threshold; None if no identity has three.
        calibration: similarity → probability, fitted on other identities.
        reliability: of that calibration on this set.
    """

    figures: dict[str, Interval]
    per_query: PerQuery
    per_probe: PerProbe
    pairs: PairHistograms
    verification: VerificationIntervals
    sample_exponent: float | None
    calibration: Calibration
    reliability: Reliability


def measure(
    embeddings: Tensor,
    evaluated: EvaluationSet,
    calibration_pairs: PairHistograms,
    *,
    fars: Sequence[float],
    fpirs: Sequence[float],
    resamples: int,
    seed: int,
) -> Measured:
    """Retrieval, verification, open-set identification and calibration, with 95 % intervals over identities.

    Args:
        embeddings: unit `float32 [N, d]` on the CPU.
        evaluated: whose images they are of.
        calibration_pairs: of other identities, to fit the calibration on.
        fars: false accept rates of pairs to find thresholds for.
        fpirs: false positive identification rates of searches to measure at.
        resamples: draws of the bootstrap.
        seed: of the draws.

    Raises:
        DataError: embeddings are not finite, or there are too few identities or images.
    """

    def interval(values: Tensor | NDArray[np.bool_], rows: Tensor) -> Interval:
        if len(evaluated.labels[rows].unique()) < 2:  # half of three identities
            return Interval(float(np.asarray(values).mean()), np.nan, np.nan)
        return mean_interval(values, evaluated.labels[rows], resamples=resamples, seed=seed)

    queries = retrieval_per_query(embeddings, evaluated.labels)
    probes = unseen_per_probe(embeddings, evaluated.labels)
    figures = {
        "MAP@R": interval(queries.map_at_r, queries.rows),
        "P@1": interval(queries.precision_at_1, queries.rows),
        "R-precision": interval(queries.r_precision, queries.rows),
        "A@1/unseen": interval(probes.correct, probes.rows),
    }
    pairs = pair_histograms(embeddings, evaluated.labels)
    verification = verification_intervals(pairs, fars, resamples=resamples, seed=seed)
    figures |= {f"TAR@FAR={far:g}": tar for far, tar in zip(fars, verification.tar, strict=True)}
    figures |= {"EER": verification.equal_error_rate, "AUC": verification.auc}
    searches = open_set_probes(embeddings, evaluated.labels, evaluated.known)
    for point in identification_points(searches, fpirs):
        figures[f"DIR@FPIR={point.target_fpir:g}"] = interval(searches.identified(point.threshold), searches.rows)
    calibration = fit_calibration(calibration_pairs)
    diagram = reliability(calibration, pairs)
    figures["ECE"] = Interval(diagram.ece, np.nan, np.nan)
    exponent = _sample_exponent(embeddings, evaluated.labels, pairs)
    return Measured(figures, queries, probes, pairs, verification, exponent, calibration, diagram)


def _sample_exponent(embeddings: Tensor, labels: Tensor, pairs: PairHistograms) -> float | None:
    """At the strictest of these rates that false matches are seen at: galleries decide there."""
    for point in operating_points(pairs, _EXPONENT_FARS):
        if (exponent := sample_exponent(embeddings, labels, point.threshold)) is not None:
            return exponent
    return None


def compare(a: Measured, b: Measured, labels: Tensor, *, resamples: int, seed: int) -> dict[str, Interval]:
    """Figures of `a` minus those of `b` on the same queries, with paired intervals over identities."""
    columns = {
        "MAP@R": (a.per_query.map_at_r, b.per_query.map_at_r, a.per_query.rows),
        "P@1": (a.per_query.precision_at_1, b.per_query.precision_at_1, a.per_query.rows),
        "R-precision": (a.per_query.r_precision, b.per_query.r_precision, a.per_query.rows),
        "A@1/unseen": (a.per_probe.correct.double(), b.per_probe.correct.double(), a.per_probe.rows),
    }
    return {
        name: paired_difference(left, right, labels[rows], resamples=resamples, seed=seed)
        for name, (left, right, rows) in columns.items()
    }


def slice_figures(
    measured: Measured, labels: Tensor, slices: Mapping[str, NDArray[np.bool_]], *, resamples: int, seed: int
) -> dict[str, dict[str, Interval]]:
    """MAP@R and P@1 of the queries in each slice; all images stay in the ranked set.

    Args:
        measured: the system.
        labels: `int64 [N]`.
        slices: name → `bool [N]`; a slice with queries of fewer than two identities is left out.
        resamples: draws of the bootstrap.
        seed: of the draws.
    """
    queries = measured.per_query
    figures = {}
    for name, rows in slices.items():
        chosen = rows[queries.rows.numpy()]
        identities = labels[queries.rows][chosen]
        if len(identities.unique()) < 2:
            continue
        figures[name] = {
            "images": Interval(float(chosen.sum()), np.nan, np.nan),
            "MAP@R": mean_interval(queries.map_at_r[chosen], identities, resamples=resamples, seed=seed),
            "P@1": mean_interval(queries.precision_at_1[chosen], identities, resamples=resamples, seed=seed),
        }
    return figures
