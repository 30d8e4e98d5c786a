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
    """True accepts over false accepts, on a logarithmic axis down to one impostor pair."""
    figure, axes = _panel((7, 4.6))
    for name, colour in colours(list(pairs)).items():
        if name in pairs:
            curve = roc(pairs[name])
            width = 2.4 if name == "ensemble" else 1.5
            axes.step(curve.far, curve.tar, where="post", label=_literal(name), color=colour, linewidth=width)
    fewest = min(1 / of.impostor.sum() for of in pairs.values())
    axes.set(xscale="log", xlim=(fewest, 1), ylim=(0, 1.01), xlabel="false accept rate", ylabel="true accept rate")
    axes.grid(alpha=0.25, which="both")
    axes.legend(loc="lower right", frameon=False)
    return figure


def draw_histograms(pairs: Mapping[str, PairHistograms]) -> Figure:
    """Similarities of genuine and of impostor pairs, one panel a system, each kind to area 1."""
    columns = min(3, len(pairs))
    rows = -(-len(pairs) // columns)
    size = (3.6 * columns, 2.5 * rows) if len(pairs) > 1 else (7, 4.6)
    figure = Figure(figsize=size, layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True)).ravel()
    edges = np.linspace(-1, 1, 101)
    for axes, (name, of) in zip(panels, pairs.items(), strict=False):
        for counts, colour, kind in ((of.impostor, _IMPOSTOR, "impostor"), (of.genuine, _GENUINE, "genuine")):
            density, _ = np.histogram(GRID, edges, weights=counts.astype(float), density=True)
            axes.stairs(density, edges, fill=True, alpha=0.55, color=colour, label=kind)
        axes.set(title=_literal(name), yticks=[])
        _tidy(axes)
    for axes in panels[len(pairs) :]:
        axes.remove()
    panels[0].legend(frameon=False)
    figure.supxlabel("similarity", fontsize=10)
    return figure


def draw_scatter(genuine: NDArray[Any], impostor: NDArray[Any], names: Sequence[str]) -> Figure:
    """Similarity under the first member against that under the second, of the same pairs `[P, K]`."""
    figure, axes = _panel((5.4, 4.8))
    for points, colour, kind in ((impostor, _IMPOSTOR, "impostor"), (genuine, _GENUINE, "genuine")):
        axes.scatter(points[:, 0], points[:, 1], s=5, alpha=0.3, color=colour, label=kind, linewidths=0)
    axes.set(xlabel=f"similarity under {_literal(names[0])}", ylabel=f"similarity under {_literal(names[1])}")
    axes.axline((0, 0), slope=1, color="#999999", linewidth=0.8, linestyle=":")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, markerscale=3)
    return figure


def draw_reliability(found: Reliability) -> Figure:
    """What came true of each promised probability; the area of a dot is its share of the pairs."""
    figure, axes = _panel((5.4, 4.8))
    filled = found.weight > 0
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle=":")
    axes.plot(found.confidence[filled], found.accuracy[filled], color=_COMBINED["ensemble"], linewidth=1)
    sizes = 12 + 400 * found.weight[filled]
    axes.scatter(found.confidence[filled], found.accuracy[filled], s=sizes, color=_COMBINED["ensemble"], alpha=0.6)
    axes.set(xlabel="probability said", ylabel="share that were one person", xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"expected calibration error {found.ece:.3f}", fontsize=10)
    axes.grid(alpha=0.25)
    return figure


def draw_training(runs: Mapping[str, Path]) -> Figure | None:
    """Validation MAP@R and loss of each member over its epochs; None where no run has left its curves."""
    curves = {name: read_metrics(run / "csv") for name, run in runs.items()}
    curves = {name: found for name, found in curves.items() if found.get("val/MAP@R")}
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
    """The chart as a PNG inside an address, so that a page needs no other file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=140)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _literal(name: str) -> str:
    """The name of a model as it is, though dollars surround formulas in matplotlib."""
    return name.replace("$", r"\$")


def _panel(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    _tidy(axes)
    return figure, axes


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
