"""Whose thresholds a model keeps, which decide what a gallery calls a match."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from facerec.models.statistics import Sigmoid, Statistics, Threshold


def measured_on(results: Mapping[str, Any]) -> dict[str, Any]:
    """The set of an evaluation and the fingerprint of its model, as they are written down with the thresholds."""
    source = {key: results[key] for key in ("dataset", "split", "identities", "data")}
    return {**source, "model": results["fingerprint"]}


def takes_thresholds(statistics: Statistics, results: Mapping[str, Any], asked: bool) -> bool:
    """Whether the model is to decide with the thresholds of this evaluation.

    A model without thresholds takes those of its first evaluation, and the same set evaluated again replaces its
    own; those of another set are taken when asked for. Those of people it was trained on never are.

    Args:
        statistics: of the model.
        results: of the evaluation.
        asked: by the user.
    """
    if results["shared_identities"]:
        return False
    source, ours = statistics.evaluated_on, measured_on(results)
    if asked or not statistics.thresholds:
        return True
    if source is None:  # somebody else wrote them down
        return False
    if source.get("model", ours["model"]) != ours["model"]:
        return True
    return all(ours.get(key) == value for key, value in source.items())


def with_thresholds(statistics: Statistics, results: Mapping[str, Any]) -> Statistics:
    """The statistics with thresholds and calibration of this evaluation in the place of others."""
    thresholds = tuple(Threshold(**point) for point in results["thresholds"])
    calibration = Sigmoid(**results["calibration"])
    return replace(statistics, thresholds=thresholds, calibration=calibration, evaluated_on=measured_on(results))


def describe_thresholds(statistics: Statistics, results: Mapping[str, Any]) -> str:
    """A sentence that says on which set the thresholds of the model were measured."""
    if not statistics.thresholds:
        return "The model has no thresholds."
    source = statistics.evaluated_on
    if source == measured_on(results):
        return "The model decides with these thresholds."
    people = "an unknown set"
    if source is not None:
        people = f"{source['identities']} people of {source['dataset']} ({source['split']})"
    cure = "" if results["shared_identities"] else "; store_thresholds=true gives it these"
    return f"The model decides with thresholds measured on {people}{cure}."
