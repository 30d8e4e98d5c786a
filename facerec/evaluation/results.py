"""Everything measured as plain values, the content of `metrics.json` and `metrics.csv`."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from facerec.evaluation.measure import Measured
from facerec.metrics import Interval

Plain = dict[str, Any]


def plain(interval: Interval) -> dict[str, float | None]:
    """`value`, `low` and `high`; None where there is no limit."""
    return {name: None if math.isnan(value) else value for name, value in interval._asdict().items()}


def systems_as_plain(measured: Mapping[str, Measured]) -> dict[str, dict[str, dict[str, float | None]]]:
    """System → figure → value with limits."""
    return {name: {figure: plain(found) for figure, found in of.figures.items()} for name, of in measured.items()}


def decisions_as_plain(measured: Measured, fars: Sequence[float]) -> Plain:
    """What a gallery decides with: `thresholds` at target false accept rates, and the `calibration`."""
    thresholds = [
        {"far": far, "threshold": found.value, "low": found.low, "high": found.high}
        for far, found in zip(fars, measured.verification.threshold, strict=True)
    ]
    return {"thresholds": thresholds, "calibration": measured.calibration._asdict()}


def as_csv(results: Mapping[str, Any]) -> str:
    """One line a figure: system, figure, value, low, high."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["system", "figure", "value", "low", "high"])
    for system, figures in {**results["systems"], **results["differences"]}.items():
        writer.writerows([system, name, of["value"], of["low"], of["high"]] for name, of in figures.items())
    for system, found in (results["lfw"] or {}).get("systems", {}).items():
        writer.writerow([system, "LFW accuracy", found["mean"], None, None])
    return stream.getvalue()
