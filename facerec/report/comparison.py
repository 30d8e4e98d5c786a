"""Show a comparison of models: a table on the terminal and an HTML page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from facerec.evaluation import Comparison
from facerec.report.page import Chart, render
from facerec.report.pair_sets import pair_sets_table
from facerec.report.plots import draw_histograms, draw_roc
from facerec.report.table import figures_table

_COLUMNS = ("MAP@R", "P@1", "A@1/unseen", "EER")


def show_comparison(results: Mapping[str, Any], page: Path) -> None:
    """Print a row for each model, the differences, the worst slices, and where the page is.

    Args:
        results: the content of `metrics.json`.
        page: the page.
    """
    tar = f"TAR@FAR={results['far']:g}"
    table = figures_table("", *_COLUMNS, tar, "ms a crop")
    table.add_column("licence")
    for name, figures in results["systems"].items():
        about = results["models"][name]
        values = [f"{figures[column]['value']:.4f}" for column in (*_COLUMNS, tar)]
        table.add_row(name, *values, f"{about['ms_at_1']:.1f}", about["licence"] or "not stated")
    console = Console(width=120, markup=False, emoji=False)
    people = f"{results['identities']} people of {results['dataset']} ({results['split']})"
    console.print(people, highlight=False, soft_wrap=True)
    console.print(table)
    if results["pair_sets"]:
        console.print(pair_sets_table(results["pair_sets"]))
    lines = []
    for title, figures in results["differences"].items():
        gain = figures["MAP@R"]
        limits = f"{gain['low']:+.4f} … {gain['high']:+.4f}"
        lines.append(f"{title}: {gain['value']:+.4f} MAP@R, 95 % interval {limits}")
    for name, worst in results["worst"].items():
        if worst["FAR"]:
            errors = results["slices"][name]
            rates = [f"{rate} {errors[worst[rate]][rate]:.2g} on '{worst[rate]}'" for rate in ("FAR", "FRR")]
            lines.append(f"{name}: highest {' and '.join(rates)}; {errors['all']['FRR']:.2g} FRR on all")
    for name, about in results["models"].items():
        if about["shared_identities"]:
            lines.append(f"{name}: trained on {about['shared_identities']} of these people")
        if about["by_face"]:
            pairs = ", ".join(f"{person['measured']} as {person['trained']}" for person in about["by_face"][:10])
            lines.append(f"{name}: trained on {len(about['by_face'])} of these people, by their faces: {pairs}")
    for line in [*lines, f"page: {page}"]:
        console.print(line, highlight=False, soft_wrap=True)


def write_comparison(file: Path, comparison: Comparison) -> None:
    """Write the page.

    Args:
        file: where to.
        comparison: what was measured.
    """
    pairs = {name: measured.pairs for name, measured in comparison.measured.items()}
    charts = [
        Chart(
            "ROC curve",
            "How many genuine pairs are accepted at a given false accept rate?",
            "Further up is better. The curve ends on the left at one impostor pair.",
            draw_roc(pairs),
            True,
        ),
        Chart(
            "Similarities",
            "How far apart are genuine and impostor pairs?",
            "The less the two overlap, the better.",
            draw_histograms(pairs),
            True,
        ),
    ]
    render("comparison.html.j2", file, comparison.results, charts)
