"""Results as plain values: the content of `metrics.json` and `metrics.csv`."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from facerec.evaluation.measure import Measured
from facerec.metrics import Interval

Plain = dict[str, Any]


def figures_as_plain(figures: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """Figure → `value`, `low` and `high`; None where there is no limit."""
    return {
        name: {key: None if math.isnan(value) else value for key, value in interval._asdict().items()}
        for name, interval in figures.items()
    }


def systems_as_plain(measured: Mapping[str, Measured]) -> dict[str, dict[str, dict[str, float | None]]]:
    """System → figure → value with limits."""
    return {name: figures_as_plain(system.figures) for name, system in measured.items()}


def decisions_as_plain(measured: Measured, fars: Sequence[float]) -> Plain:
    """What a gallery decides by: `thresholds` at target false accept rates, `sample_exponent`, `calibration`."""
    thresholds = [
        {"far": far, "threshold": interval.value, "low": interval.low, "high": interval.high}
        for far, interval in zip(fars, measured.verification.threshold, strict=True)
    ]
    return {
        "thresholds": thresholds,
        "sample_exponent": measured.sample_exponent,
        "calibration": measured.calibration._asdict(),
    }


def as_csv(results: Mapping[str, Any]) -> str:
    """One line per figure: system, figure, value, low, high."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["system", "figure", "value", "low", "high"])
    for system, figures in {**results["systems"], **results["differences"]}.items():
        writer.writerows(
            [system, name, interval["value"], interval["low"], interval["high"]]
            for name, interval in figures.items()
        )
    for pair_set, measured in results["pair_sets"].items():
        for system, values in measured["systems"].items():
            writer.writerows(
                [system, f"{pair_set} {name}", interval["value"], interval["low"], interval["high"]]
                for name, interval in values["figures"].items()
            )
    return stream.getvalue()
