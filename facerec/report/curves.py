"""Learning curves of a run, read from its CSV files."""

import csv
from collections import defaultdict
from pathlib import Path

from matplotlib.figure import Figure

_PANELS = {
    "loss": ("train/loss",),
    "validation identities": ("val/MAP@R", "val/P@1", "val/A@1/unseen", "val/cosine"),
    "training identities": ("train/accuracy", "val/A@1/seen", "train/cosine"),
    "learning rate": ("lr",),
}


def read_metrics(folder: Path) -> dict[str, dict[int, float]]:
    """Name → step → value, over all `version_*/metrics.csv`; a resumed run's later file wins."""
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for file in sorted(folder.glob("version_*/metrics.csv"), key=lambda file: int(file.parent.name[8:])):
        with file.open(newline="") as stream:
            for row in csv.DictReader(stream):
                for name, value in row.items():
                    if value and name != "step":
                        curves["lr" if name.startswith("lr-") else name][int(row["step"])] = float(value)
    return curves


def draw_curves(folder: Path, file: Path) -> None:
    """Plot loss, metrics and learning rate over the steps, and write the image to `file`."""
    curves = read_metrics(folder)
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(2, 2).flat, _PANELS.items(), strict=True):
        for name in names:
            if points := sorted(curves.get(name, {}).items()):
                axes.plot(*zip(*points, strict=True), label=name, marker="." if len(points) < 50 else "")
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.3)
        if len(names) > 1:
            axes.set_ylim(0, 1.02)
            if axes.lines:
                axes.legend()
    figure.savefig(file, dpi=110)
