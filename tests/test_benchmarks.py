"""Figures of benchmarks are kept, compared with the last ones, and shown with their goals."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """They import each other as `python benchmarks/SCRIPT.py` lets them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for results and page."""
    results, table = _modules()
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(table, "PAGE", tmp_path / "README.md")
    monkeypatch.setattr(sys, "argv", ["step.py"])
    return tmp_path


def test_a_figure_that_became_worse_is_told_and_the_last_one_is_shown(
    places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, table = _modules()

    def run(rate: float, seconds: float) -> str:
        peer = {"peer": 20.0}
        figures = [
            results.Figure("rate", "images/s", rate, peer, {"peer": 2}),
            results.Figure("time", "s", seconds, peer, {"peer": 2}, limit=12, less=True),
        ]
        results.record(figures)
        return capsys.readouterr().out

    assert "worse" not in run(50, 10)
    assert "worse" not in run(46, 11)  # by less than a tenth
    assert run(30, 11).count("worse than 46 images/s on ") == 1
    assert run(2000, 13).count("worse than 11 s on ") == 1
    assert len(list(results.history())) == 8

    table.PAGE.write_text("above\n<!-- cpu -->\nold\n<!-- end -->\nbetween\n<!-- gpu -->\n<!-- end -->\nbelow\n")
    table.main()
    page = table.PAGE.read_text()
    assert "| rate | 2,000 images/s | peer: 20 | 100 | 2 | yes |" in page
    assert "| time | 13 s | peer: 20 | 1.54 | 2 | no |" in page
    assert "| time | 13 s | | | at most 12 | no |" in page
    assert page.startswith("above\n<!-- cpu -->\n| what |")
    assert page.endswith("between\n<!-- gpu -->\nNothing was run.\n<!-- end -->\nbelow\n")


def _modules() -> tuple[Any, Any]:
    return import_module("results"), import_module("table")


def test_results_that_are_kept_can_be_read() -> None:
    kept = list(_modules()[0].history())
    assert {figure.unit for _, figure in kept} >= {"images/s", "s", "ms"}
