"""Charts of an evaluation."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facerec.metrics import GRID, PairHistograms, Reliability, roc
from facerec.report.curves import read_metrics

_MEMBERS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#9d755d", "#72b7b2")
_COMBINED = {"concatenation": "#8a8a8a", "ensemble": "#d62728"}
_GENUINE, _IMPOSTOR = "#2a9d8f", "#e76f51"


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each system; the ensemble stands out."""
    members = [name for name in names if name not in _COMBINED]
    return {name: _MEMBERS[k % len(_MEMBERS)] for k, name in enumerate(members)} | _COMBINED


def draw_roc(pairs: Mapping[str, PairHistograms]) -> Figure:
    """ROC curve of each system; the false accept rate is logarithmic and ends at one impostor pair."""
    figure, axes = _panel((7, 4.6))
    for name, colour in colours(list(pairs)).items():
        if name in pairs:
            curve = roc(pairs[name])
            width = 2.4 if name == "ensemble" else 1.5
            axes.step(curve.far, curve.tar, where="post", label=_literal(name), color=colour, linewidth=width)
    fewest = min(1 / histograms.impostor.sum() for histograms in pairs.values())
    axes.set(
        xscale="log",
        xlim=(fewest, 1),
        ylim=(0, 1.01),
        xlabel="false accept rate (FAR)",
        ylabel="true accept rate (TAR)",
    )
    axes.grid(alpha=0.25, which="both")
    axes.legend(loc="lower right", frameon=False)
    return figure


def draw_histograms(pairs: Mapping[str, PairHistograms]) -> Figure:
    """Histograms of the similarities of genuine and impostor pairs, one panel per system, each of area 1."""
    columns = min(3, len(pairs))
    rows = -(-len(pairs) // columns)
    size = (3.6 * columns, 2.5 * rows) if len(pairs) > 1 else (7, 4.6)
    figure = Figure(figsize=size, layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True)).ravel()
    edges = np.linspace(-1, 1, 101)
    for axes, (name, histograms) in zip(panels, pairs.items(), strict=False):
        for counts, colour, kind in (
            (histograms.impostor, _IMPOSTOR, "impostor"),
            (histograms.genuine, _GENUINE, "genuine"),
        ):
            density, _ = np.histogram(GRID, edges, weights=counts.astype(float), density=True)
            axes.stairs(density, edges, fill=True, alpha=0.55, color=colour, label=kind)
        axes.set(title=_literal(name), yticks=[])
        _tidy(axes)
    for axes in panels[len(pairs) :]:
        axes.remove()
    panels[0].legend(frameon=False)
    figure.supxlabel("cosine similarity", fontsize=10)
    return figure


def draw_scatter(genuine: NDArray[Any], impostor: NDArray[Any], names: Sequence[str]) -> Figure:
    """Scatter plot of the same pairs `[P, K]`: similarity under the first member and under the second."""
    figure, axes = _panel((5.4, 4.8))
    for points, colour, kind in ((impostor, _IMPOSTOR, "impostor"), (genuine, _GENUINE, "genuine")):
        axes.scatter(points[:, 0], points[:, 1], s=5, alpha=0.3, color=colour, label=kind, linewidths=0)
    axes.set(xlabel=f"similarity under {_literal(names[0])}", ylabel=f"similarity under {_literal(names[1])}")
    axes.axline((0, 0), slope=1, color="#999999", linewidth=0.8, linestyle=":")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, markerscale=3)
    return figure


def draw_reliability(diagram: Reliability) -> Figure:
    """Reliability diagram; the area of a dot is its share of the pairs."""
    figure, axes = _panel((5.4, 4.8))
    filled = diagram.weight > 0
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle=":")
    axes.plot(diagram.confidence[filled], diagram.accuracy[filled], color=_COMBINED["ensemble"], linewidth=1)
    sizes = 12 + 400 * diagram.weight[filled]
    axes.scatter(
        diagram.confidence[filled], diagram.accuracy[filled], s=sizes, color=_COMBINED["ensemble"], alpha=0.6
    )
    axes.set(xlabel="predicted probability", ylabel="observed share of genuine pairs", xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"expected calibration error {diagram.ece:.3f}", fontsize=10)
    axes.grid(alpha=0.25)
    return figure


def draw_training(runs: Mapping[str, Path]) -> Figure | None:
    """Training loss and validation MAP@R of each member over its steps; None if no run has curves."""
    curves = {name: read_metrics(run / "csv") for name, run in runs.items()}
    curves = {name: metrics for name, metrics in curves.items() if metrics.get("val/MAP@R")}
    if not curves:
        return None
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, 2)
    shown = {"train/loss": "training loss", "val/MAP@R": "validation MAP@R"}
    for axes, (metric, label) in zip(panels, shown.items(), strict=True):
        for name, colour in colours(list(curves)).items():
            if points := sorted(curves.get(name, {}).get(metric, {}).items()):
                marker = "." if len(points) < 50 else ""
                axes.plot(*zip(*points, strict=True), label=_literal(name), color=colour, marker=marker)
        axes.set(xlabel="step", ylabel=label)
        axes.grid(alpha=0.25)
        _tidy(axes)
    panels[1].legend(frameon=False)
    return figure


def as_data_uri(figure: Figure) -> str:
    """The chart as a PNG in a data URI, so that a page needs no other file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=140)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _literal(name: str) -> str:
    """The name with its dollar signs escaped, which matplotlib would take for a formula."""
    return name.replace("$", r"\$")


def _panel(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    _tidy(axes)
    return figure, axes


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
