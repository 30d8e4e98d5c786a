"""The thresholds that a model keeps; a gallery decides by them what is a match."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from facerec.models.statistics import Sigmoid, Statistics, Threshold


def measured_on(results: Mapping[str, Any]) -> dict[str, Any]:
    """The data set of an evaluation and the fingerprint of its model, as stored with the thresholds."""
    source = {key: results[key] for key in ("dataset", "split", "identities", "data")}
    return {**source, "model": results["fingerprint"]}


def takes_thresholds(statistics: Statistics, results: Mapping[str, Any], asked: bool) -> bool:
    """Whether the model takes the thresholds of this evaluation.

    A model without thresholds takes those of its first evaluation. Another evaluation on the same set replaces
    them, one on another set only if the user asks for it. Thresholds of people that the model was trained on, or of
    vectors with mirror images, are never taken.

    Args:
        statistics: of the model.
        results: of the evaluation.
        asked: whether the user asks for it.
    """
    if results["shared_identities"] or results["flip"]:
        return False
    source, target = statistics.evaluated_on, measured_on(results)
    if asked or not statistics.thresholds:
        return True
    if source is None:  # somebody else wrote them
        return False
    if source.get("model", target["model"]) != target["model"]:
        return True
    return all(target.get(key) == value for key, value in source.items())


def with_thresholds(statistics: Statistics, results: Mapping[str, Any]) -> Statistics:
    """The statistics with the thresholds and the calibration of this evaluation."""
    thresholds = tuple(Threshold(**point) for point in results["thresholds"])
    calibration = Sigmoid(**results["calibration"])
    return replace(
        statistics,
        thresholds=thresholds,
        sample_exponent=results.get("sample_exponent"),
        calibration=calibration,
        evaluated_on=measured_on(results),
    )


def describe_thresholds(statistics: Statistics, results: Mapping[str, Any]) -> str:
    """A sentence that says on which set the model's thresholds were measured."""
    if not statistics.thresholds:
        return "The model has no thresholds."
    source = statistics.evaluated_on
    if source == measured_on(results):
        return "The model uses these thresholds."
    people = "an unknown set"
    if source is not None:
        people = f"{source['identities']} people of {source['dataset']} ({source['split']})"
    cure = "" if results["shared_identities"] or results["flip"] else "; store_thresholds=true stores these instead"
    return f"The model uses thresholds measured on {people}{cure}."
