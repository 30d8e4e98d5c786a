"""The table at the end of a run."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pytorch_lightning.loggers import Logger, WandbLogger
from rich.console import Console
from rich.table import Table

_COLUMNS = ("MAP@R", "P@1", "R-precision", "A@1/unseen", "A@1/seen")
_ROWS = {"val": "validation identities", "test": "test identities"}


def show_table(values: Mapping[str, float], loggers: Iterable[Logger], run: Path) -> None:
    """Print a run's metrics and where its model lies; log the same table to W&B.

    Args:
        values: metrics of the best checkpoint, named `val/MAP@R` and so on.
        loggers: of the run.
        run: its folder.
    """
    rows = []
    for part, label in _ROWS.items():
        cells = [values.get(f"{part}/{column}") for column in _COLUMNS]
        if any(cell is not None for cell in cells):
            rows.append([label, *("-" if cell is None else f"{cell:.4f}" for cell in cells)])
    table = Table("", *_COLUMNS, title="Best checkpoint", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    console = Console(width=110)
    console.print(table)
    console.print(f"model: {run / 'model'}\ncurves: {run / 'curves.png'}", highlight=False, soft_wrap=True)
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_table("best checkpoint", columns=["", *_COLUMNS], data=rows)
