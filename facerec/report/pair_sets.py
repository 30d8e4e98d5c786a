"""The table of pair sets on the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from facerec.report.table import figures_table


def pair_sets_table(pair_sets: Mapping[str, Any]) -> Table:
    """A row for each system on each pair set; a rate that too few impostor pairs can tell is left out."""
    figures = [next(iter(measured["systems"].values()))["figures"] for measured in pair_sets.values()]
    rates = list(dict.fromkeys(name for names in figures for name in names if name.startswith("TAR@")))
    columns = ("pairs", "", "accuracy", "± std", "95 % interval", *rates, "EER")
    table = figures_table(*columns, texts=2, title="Pair sets")
    for title, measured in pair_sets.items():
        heading = f"{title}: {measured['pairs']:,}"
        for name, system in measured["systems"].items():
            accuracy = system["figures"]["accuracy"]
            interval = f"{accuracy['low']:.4f} … {accuracy['high']:.4f}"
            shown = (system["figures"].get(column) for column in (*rates, "EER"))
            others = ["-" if figure is None else f"{figure['value']:.4f}" for figure in shown]
            values = (f"{accuracy['value']:.4f}", f"{system['std']:.4f}", interval, *others)
            table.add_row(heading, name, *values, style="bold" if name == "ensemble" else None)
            heading = ""
        table.add_section()
    return table
