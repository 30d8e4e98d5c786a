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
    splits = {"train": "training identities", "val": "validation identities"}
    table = Table(
        "", "weight", *(f"{kind}, {label}" for label in splits.values() for kind in ("genuine", "impostor"))
    )
    table.title = f"Weights ({ensemble['weighting']}, on the pairs of {splits[ensemble['split']]})"
    table.title_justify = "left"
    for column in table.columns[1:]:
        column.justify = "right"
    for k, name in enumerate(ensemble["members"]):
        moments = [ensemble["pairs"][split][kind] for split in splits for kind in ("genuine", "impostor")]
        cells = [f"{pairs['mean'][k]:.3f} ± {pairs['covariance'][k][k] ** 0.5:.3f}" for pairs in moments]
        table.add_row(name, f"{ensemble['weights'][k]:.4f}", *cells)
    console = Console(width=140, markup=False, emoji=False)
    console.print(table)
    console.print(f"model: {folder}", highlight=False, soft_wrap=True)
