"""Tables that a job prints at its end."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, WandbLogger
from rich.console import Console
from rich.table import Table

_COLUMNS = ("MAP@R", "P@1", "R-precision", "A@1/unseen", "A@1/seen")
_ROWS = {"val": "validation identities", "test": "test identities"}


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
    table = Table("", *_COLUMNS, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
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
    table = Table("", "weight", *(f"{kind} pairs" for kind in pairs))
    table.title = f"Weights ({ensemble['weighting']}, on {people})"
    table.title_justify = "left"
    for column in table.columns[1:]:
        column.justify = "right"
    for k, (name, weight) in enumerate(zip(ensemble["members"], ensemble["weights"], strict=True)):
        cells = [f"{kind['mean'][k]:.3f} ± {kind['covariance'][k][k] ** 0.5:.3f}" for kind in pairs.values()]
        table.add_row(name, f"{weight:.4f}" if weight else "0, left out", *cells)
    console = Console(width=140, markup=False, emoji=False)
    console.print(table)
    console.print(f"model: {folder}", highlight=False, soft_wrap=True)
