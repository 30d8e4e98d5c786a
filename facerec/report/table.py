"""The table at the end of a run."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

_COLUMNS = ("MAP@R", "P@1", "R-precision", "A@1/unseen", "A@1/seen")
_ROWS = {"val": "validation identities", "test": "test identities"}


def print_table(values: Mapping[str, float], run: Path) -> None:
    """Print a run's metrics, named `val/MAP@R` and so on, and where its model lies."""
    table = Table(title="Best checkpoint", title_justify="left")
    table.add_column("")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for part, label in _ROWS.items():
        cells = [values.get(f"{part}/{column}") for column in _COLUMNS]
        if any(cell is not None for cell in cells):
            table.add_row(label, *("-" if cell is None else f"{cell:.4f}" for cell in cells))
    console = Console(width=110)
    console.print(table)
    console.print(f"model: {run / 'model'}\ncurves: {run / 'curves.png'}", highlight=False, soft_wrap=True)
