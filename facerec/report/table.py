"""The tables at the end of a job."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, WandbLogger
from rich.console import Console
from rich.table import Table

_COLUMNS = ("MAP@R", "P@1", "R-precision", "A@1/unseen", "A@1/seen")
_ROWS = {"val": "validation identities", "test": "test identities"}


def show_table(values: Mapping[str, float], loggers: Iterable[Logger], run: Path, title: str) -> None:
    """Print a run's metrics and where its model lies; log the same table to W&B.

    Args:
        values: metrics of the model, named `val/MAP@R` and so on.
        loggers: of the run.
        run: its folder.
        title: which weights these are the metrics of.
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


def show_weights(found: Mapping[str, Any], folder: Path) -> None:
    """Print what an ensemble's members count, and how far they hold the two kinds of pair apart.

    Args:
        found: `ensemble` of its `statistics.json`.
        folder: the model.
    """
    splits = {"train": "training identities", "val": "held-out identities"}
    table = Table(
        "", "weight", *(f"{kind}, {label}" for label in splits.values() for kind in ("genuine", "impostor"))
    )
    table.title = f"Weights ({found['weighting']}, on the pairs of {splits[found['split']]})"
    table.title_justify = "left"
    for column in table.columns[1:]:
        column.justify = "right"
    for k, name in enumerate(found["members"]):
        cells = [found["pairs"][split][kind] for split in splits for kind in ("genuine", "impostor")]
        pairs = [f"{of['mean'][k]:.3f} ± {of['covariance'][k][k] ** 0.5:.3f}" for of in cells]
        table.add_row(name, f"{found['weights'][k]:.4f}", *pairs)
    console = Console(width=140, markup=False, emoji=False)
    console.print(table)
    console.print(f"model: {folder}", highlight=False, soft_wrap=True)
