"""Tables that a job prints at its end."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, WandbLogger
from rich.console import Console
from rich.table import Table

_COLUMNS = ("MAP@R", "P@1", "R-precision", "A@1/unseen", "A@1/seen")
_ROWS = {"val": "validation identities", "test": "test identities"}


def figures_table(*columns: str, texts: int = 1, title: str | None = None) -> Table:
    """A table whose first columns are texts, and all others figures, which stand at the right."""
    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < texts else "right")
    return table


def show_table(values: Mapping[str, float], loggers: Iterable[Logger], run: Path, title: str) -> None:
    """Print a run's metrics and the paths of its model and curves; log the same table to W&B.

    Args:
        values: metrics of the model, named `val/MAP@R` and so on.
        loggers: of the run.
        run: its folder.
        title: says of which weights these are the metrics.
    """
    rows = []
    for split, label in _ROWS.items():
        cells = [values.get(f"{split}/{column}") for column in _COLUMNS]
        if any(cell is not None for cell in cells):
            rows.append([label, *("-" if cell is None else f"{cell:.4f}" for cell in cells)])
    table = figures_table("", *_COLUMNS, title=title)
    for row in rows:
        table.add_row(*row)
    console = Console(width=110, markup=False, emoji=False)
    console.print(table)
    console.print(f"model: {run / 'model'}\ncurves: {run / 'curves.png'}", highlight=False, soft_wrap=True)
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_table(title.lower(), columns=["", *_COLUMNS], data=rows)


def show_weights(ensemble: Mapping[str, Any], folder: Path) -> None:
    """Print the weight of each member, and its similarities of genuine and impostor pairs (mean ± deviation).

    Args:
        ensemble: that key of `statistics.json`.
        folder: the model.
    """
    pairs = ensemble["pairs"][ensemble["split"]]
    people = {"train": "training identities", "val": "validation identities"}[ensemble["split"]]
    title = f"Weights ({ensemble['weighting']}, on {people})"
    table = figures_table("", "weight", *(f"{kind} pairs" for kind in pairs), title=title)
    for k, (name, weight) in enumerate(zip(ensemble["members"], ensemble["weights"], strict=True)):
        cells = [f"{kind['mean'][k]:.3f} ± {kind['covariance'][k][k] ** 0.5:.3f}" for kind in pairs.values()]
        table.add_row(name, f"{weight:.4f}" if weight else "0, left out", *cells)
    console = Console(width=140, markup=False, emoji=False)
    console.print(table)
    console.print(f"model: {folder}", highlight=False, soft_wrap=True)
