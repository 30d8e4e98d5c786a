"""The table of a protocol with templates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from facerec.report.table import figures_table


def show_protocol(results: Mapping[str, Any], file: Path) -> None:
    """Print the rates of every system, a row each, and where they are kept.

    Args:
        results: as `facerec.evaluation.measure_ijb` gives them.
        file: that holds them.
    """
    systems = results["systems"]
    table = figures_table("", *systems)
    for name in next(iter(systems.values())):
        values = [figures[name] for figures in systems.values()]
        table.add_row(name, *("-" if value is None else f"{value:.4f}" for value in values))
    console = Console(width=120, markup=False, emoji=False)
    size = f"{results['images']} images in {results['templates']} templates, {results['pairs']} pairs"
    about = f"{results['protocol']}: {size}, {results['impostor_pairs']} of them impostor pairs"
    console.print(about, highlight=False, soft_wrap=True)
    console.print(table)
    console.print(f"metrics: {file}", highlight=False, soft_wrap=True)
