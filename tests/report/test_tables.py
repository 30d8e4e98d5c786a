"""Names of models, people and files are shown as they are, whatever they mean to a terminal, a page or a chart."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.text import Text

from facerec.evaluation import describe_thresholds, takes_thresholds, with_thresholds
from facerec.metrics import pair_histograms
from facerec.models import Statistics, Threshold
from facerec.report import show_table, show_weights
from facerec.report.evaluation import show_evaluation
from facerec.report.plots import as_data_uri, draw_histograms, draw_roc
from facerec.study.best import show_jobs

NAME = "x [/b] [red] :cat: $x$"


def _figures(value: float) -> dict[str, dict[str, float]]:
    return {
        name: {"value": value, "low": value, "high": value}
        for name in ("MAP@R", "P@1", "R-precision", "A@1/unseen", "TAR@FAR=0.1", "EER")
    }


def _measured_pairs() -> dict[str, Any]:
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    return {"pairs": 9, "systems": {NAME: {"figures": {"accuracy": figure, "EER": figure}, "std": 0.1}}}


def test_tables_show_names_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shown() -> str:
        return " ".join(capsys.readouterr().out.split())

    results = {
        "identities": 3,
        "dataset": NAME,
        "split": "test",
        "trained_on": NAME,
        "shared_identities": None,
        "systems": {NAME: _figures(0.5)},
        "differences": {f"ensemble over {NAME}": _figures(0.1)},
        "flip": False,
        "pair_sets": {NAME: _measured_pairs()},
    }
    show_evaluation(results, Path(NAME), "thresholds of " + NAME)
    assert shown().count(NAME) == 8
    moments = {"mean": [0.5], "covariance": [[0.1]]}
    pairs = {"val": {"genuine": moments, "impostor": moments}}
    show_weights(
        {"weighting": NAME, "split": "val", "members": [NAME], "weights": [1.0], "pairs": pairs}, Path(NAME)
    )
    assert shown().count(NAME) == 3
    show_table({"val/MAP@R": 0.5}, [], Path(NAME), "Best checkpoint")
    assert shown().count(NAME) == 2
    show_jobs({NAME: 0.5}, Path(NAME), "val/MAP@R")
    assert shown().count(NAME) == 2


def test_charts_show_names_as_they_are() -> None:
    pairs = pair_histograms(torch.eye(4), torch.tensor([0, 0, 1, 1]))
    for draw in (draw_roc, draw_histograms):
        figure = draw({NAME: pairs})
        assert as_data_uri(figure)
        shown = {text.get_text().replace("\\$", "$") for text in figure.findobj(Text)}
        assert NAME in shown


@pytest.mark.parametrize("systems", [1, 3, 5])
def test_histograms_are_no_screen_high(systems: int) -> None:
    pairs = pair_histograms(torch.eye(4), torch.tensor([0, 0, 1, 1]))
    width, height = draw_histograms({f"m{k}": pairs for k in range(systems)}).get_size_inches()
    assert height / width < 0.7


RESULTS: dict[str, Any] = {
    "dataset": "orl",
    "split": "test",
    "identities": 10,
    "data": "0123",
    "fingerprint": "abcd",
    "shared_identities": 0,
    "flip": False,
    "thresholds": [{"far": 0.01, "threshold": 0.5}],
    "calibration": {"slope": 1, "intercept": 0},
}
OURS = {"dataset": "orl", "split": "test", "identities": 10, "data": "0123", "model": "abcd"}


@pytest.mark.parametrize(
    ("source", "changes", "taken"),
    [
        (OURS, {}, True),
        ({key: OURS[key] for key in ("dataset", "split", "identities")}, {}, True),  # as it was written before
        ({**OURS, "dataset": "celeba"}, {}, False),
        ({**OURS, "split": "train"}, {}, False),
        ({**OURS, "data": "4567"}, {}, False),
        ({**OURS, "dataset": "celeba", "model": "of other weights"}, {}, True),
        (None, {}, False),
        (OURS, {"shared_identities": 2}, False),
        (OURS, {"shared_identities": None}, True),
        (OURS, {"flip": True}, False),
    ],
)
def test_which_thresholds_a_model_takes(source: Any, changes: dict[str, Any], taken: bool) -> None:
    results = {**RESULTS, **changes}
    statistics = Statistics(thresholds=(Threshold(0.01, 0.4),), evaluated_on=source)
    assert takes_thresholds(statistics, results, asked=False) == taken
    not_its_own = bool(results["shared_identities"] or results["flip"])
    assert (
        takes_thresholds(statistics, results, asked=True)
        == takes_thresholds(Statistics(), results, asked=False)
        != not_its_own
    )
    kept = with_thresholds(statistics, results)
    assert kept.evaluated_on == OURS
    assert describe_thresholds(kept, results) == "The model uses these thresholds."
    assert "an unknown set" in describe_thresholds(replace(statistics, evaluated_on=None), results)
