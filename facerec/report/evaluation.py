"""Show an evaluation: a table on the terminal, an HTML page, a table in W&B."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning.loggers import Logger, WandbLogger
from rich.console import Console

from facerec.data import FaceImages
from facerec.evaluation import Evaluated, HardPair
from facerec.report.page import Chart, PairImages, write_report
from facerec.report.pair_sets import pair_sets_table
from facerec.report.plots import draw_histograms, draw_reliability, draw_roc, draw_scatter, draw_training
from facerec.report.table import figures_table

_COLUMNS = ("MAP@R", "P@1", "R-precision", "A@1/unseen")


def show_evaluation(results: Mapping[str, Any], folder: Path, thresholds: str) -> None:
    """Print the figures of every system, which thresholds the model uses, and the path of the report.

    Args:
        results: the content of `metrics.json`.
        folder: of the evaluation.
        thresholds: a sentence that says which thresholds the model uses.
    """
    tars = [name for name in next(iter(results["systems"].values())) if name.startswith("TAR@")]
    columns = [*_COLUMNS, tars[len(tars) // 2], "EER"]  # of the rates the middle one
    people = f"{results['identities']} people of {results['dataset']} ({results['split']})"
    title = f"{people}, {_training_overlap(results)}"
    if results["flip"]:
        title += ", with mirror images"
    table = figures_table("", *columns, title=title)
    for name, figures in results["systems"].items():
        values = [figures[column]["value"] for column in columns]
        style = "bold" if name == "ensemble" else None
        table.add_row(name, *(f"{value:.4f}" for value in values), style=style)
    console = Console(width=120, markup=False, emoji=False)
    console.print(table)
    if results["pair_sets"]:
        console.print(pair_sets_table(results["pair_sets"]))
    for title, figures in results["differences"].items():
        gain = figures["MAP@R"]
        limits = f"{gain['low']:+.4f} … {gain['high']:+.4f}"
        console.print(f"{title}: {gain['value']:+.4f} MAP@R, 95 % interval {limits}", highlight=False)
    for member, teacher in (results.get("teachers") or {}).items():
        licence = teacher["licence"] or "not stated"
        told = f"{member}: taught by {teacher['name']} (licence: {licence}), which may have seen these people"
        console.print(told, highlight=False, soft_wrap=True)
    console.print(thresholds, highlight=False, soft_wrap=True)
    console.print(f"report: {folder / 'report.html'}", highlight=False, soft_wrap=True)


def _training_overlap(results: Mapping[str, Any]) -> str:
    if results["trained_on"] is None:
        return "training people not known"
    unknown = ", ".join(results.get("training_unknown") or ())
    besides = f"; training people of {unknown} not known" if unknown else ""
    if results["shared_identities"] is None:
        return f"trained on another data set ({results['trained_on']}){besides}"
    if results["shared_identities"]:
        return "measured on people of the training set"
    return f"never seen in training{besides}"


def write_evaluation(file: Path, evaluated: Evaluated, runs: Mapping[str, Path]) -> None:
    """Write the page.

    Args:
        file: where to.
        evaluated: what was measured.
        runs: name of each member → folder of its training run, for the learning curves.
    """
    hardest = {
        "Hardest genuine pairs": _pair_images(evaluated, evaluated.hardest[0]),
        "Hardest impostor pairs": _pair_images(evaluated, evaluated.hardest[1]),
    }
    write_report(file, evaluated.results, _charts(evaluated, runs), hardest)


def log_evaluation(results: Mapping[str, Any], logger: Logger, page: Path) -> None:
    """Log the figures; W&B gets them as a table, too, and the report.

    Args:
        results: the content of `metrics.json`.
        logger: where to.
        page: the report.
    """
    systems = results["systems"]
    logger.log_metrics(
        {f"{name}/{key}": figure["value"] for name, figures in systems.items() for key, figure in figures.items()}
        | {
            f"{name}/{pair_set}/{key}": figure["value"]
            for pair_set, measured in results["pair_sets"].items()
            for name, system in measured["systems"].items()
            for key, figure in system["figures"].items()
        }
    )
    if isinstance(logger, WandbLogger):
        from wandb import Html

        columns = ["system", *next(iter(systems.values()))]
        rows = [[name, *(figure["value"] for figure in figures.values())] for name, figures in systems.items()]
        logger.log_table("evaluation", columns=columns, data=rows)
        logger.experiment.log({"report": Html(str(page), inject=False)})


def _charts(evaluated: Evaluated, runs: Mapping[str, Path]) -> list[Chart]:
    measured = evaluated.measured
    pairs = {name: system.pairs for name, system in measured.items()}
    model = list(measured.values())[-1]
    charts = [
        Chart(
            "ROC curve",
            "How many genuine pairs are accepted at a given false accept rate?",
            "Higher is better. The axis is logarithmic and ends at one impostor pair.",
            draw_roc(pairs),
        ),
        Chart(
            "Reliability diagram",
            "Are probabilities what they say?",
            "On the dotted line they are. They were fitted on validation identities and are measured on these; the "
            "area of a dot is its share of the pairs.",
            draw_reliability(model.reliability),
        ),
        Chart(
            "Similarity distributions",
            "How well do genuine and impostor pairs separate?",
            "The less the two histograms overlap, the better. Each has area 1.",
            draw_histograms(pairs),
            wide=len(pairs) > 1,
        ),
    ]
    if evaluated.similarities:
        names = list(measured)[:2]
        charts.append(
            Chart(
                "Similarities under two members",
                "Do two members agree?",
                "Each dot is a pair. The less alike the members' errors, the more an ensemble of them gains.",
                draw_scatter(*evaluated.similarities, names),
            )
        )
    if curves := draw_training(runs):
        charts.append(
            Chart("Learning curves", "How did training go?", "One curve per member, over its steps.", curves, True)
        )
    return charts


def _pair_images(evaluated: Evaluated, pairs: Sequence[HardPair]) -> list[PairImages]:
    crops, images = evaluated.crops, evaluated.images
    shown = []
    for pair in pairs:
        left, right = crops[np.array([pair.left, pair.right])]
        captions = _caption(images, pair.left), _caption(images, pair.right)
        shown.append(PairImages(left, right, captions, pair.similarity))
    return shown


def _caption(images: FaceImages, row: int) -> str:
    return f"{images.identities[row]}/{images.files[row].name}"
