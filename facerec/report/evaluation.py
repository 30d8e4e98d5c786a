"""What an evaluation shows: a table on the terminal, and the charts and pictures of its page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, WandbLogger
from rich.console import Console
from rich.table import Table

from facerec.data import FaceImages
from facerec.evaluation import Evaluated, HardPair
from facerec.report.page import Chart, PairPicture, write_report
from facerec.report.plots import draw_histograms, draw_reliability, draw_roc, draw_scatter, draw_training

_COLUMNS = ("MAP@R", "P@1", "R-precision", "A@1/unseen")


def show_evaluation(results: Mapping[str, Any], folder: Path, thresholds: str) -> None:
    """Print the figures of every system, and where everything else lies.

    Args:
        results: the content of `metrics.json`.
        folder: of the evaluation.
        thresholds: on which set those of the model were measured.
    """
    lfw = (results["lfw"] or {}).get("systems", {})
    tars = [name for name in next(iter(results["systems"].values())) if name.startswith("TAR@")]
    columns = [*_COLUMNS, tars[len(tars) // 2], "EER"]  # of the rates the middle one
    title = f"{results['identities']} people of {results['dataset']} ({results['split']}), {_seen(results)}"
    table = Table("", *columns, *(["LFW"] if lfw else []), title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, figures in results["systems"].items():
        values = [figures[column]["value"] for column in columns]
        values += [lfw[name]["mean"]] if lfw else []
        style = "bold" if name == "ensemble" else None
        table.add_row(name, *(f"{value:.4f}" for value in values), style=style)
    console = Console(width=120, markup=False, emoji=False)
    console.print(table)
    for title, figures in results["differences"].items():
        of = figures["MAP@R"]
        interval = f"{of['value']:+.4f} MAP@R, 95 % interval {of['low']:+.4f} … {of['high']:+.4f}"
        console.print(f"{title}: {interval}", highlight=False)
    console.print(thresholds, highlight=False, soft_wrap=True)
    console.print(f"report: {folder / 'report.html'}", highlight=False, soft_wrap=True)


def _seen(results: Mapping[str, Any]) -> str:
    if results["trained_on"] is None:
        return "training people unknown"
    if results["shared_identities"] is None:
        return f"trained on another data set ({results['trained_on']})"
    return "measured on people of the training set" if results["shared_identities"] else "never seen in training"


def write_evaluation(file: Path, evaluated: Evaluated, runs: Mapping[str, Path]) -> None:
    """Write the page.

    Args:
        file: where to.
        evaluated: what was measured.
        runs: name → folder of the training run of each member, for the learning curves.
    """
    hardest = {
        "Pairs of one person that it finds least alike": _pictures(evaluated, evaluated.hardest[0]),
        "Pairs of two people that it finds most alike": _pictures(evaluated, evaluated.hardest[1]),
    }
    write_report(file, evaluated.results, _charts(evaluated, runs), hardest)


def log_evaluation(results: Mapping[str, Any], logger: Logger, page: Path) -> None:
    """Log the figures; to W&B as a table, too, with the page.

    Args:
        results: the content of `metrics.json`.
        logger: where to.
        page: the report.
    """
    systems = results["systems"]
    logger.log_metrics(
        {f"{name}/{key}": of["value"] for name, found in systems.items() for key, of in found.items()}
    )
    if isinstance(logger, WandbLogger):
        from wandb import Html

        columns = ["system", *next(iter(systems.values()))]
        rows = [[name, *(of["value"] for of in found.values())] for name, found in systems.items()]
        logger.log_table("evaluation", columns=columns, data=rows)
        logger.experiment.log({"report": Html(str(page), inject=False)})


def _charts(evaluated: Evaluated, runs: Mapping[str, Path]) -> list[Chart]:
    measured = evaluated.measured
    pairs = {name: of.pairs for name, of in measured.items()}
    last = list(measured.values())[-1]
    charts = [
        Chart("Accepting pairs", "Higher is better; to the left few impostors are let in.", draw_roc(pairs)),
        Chart(
            "Are probabilities what they say?",
            "On these people, after fitting on validation identities. On the dotted line they are.",
            draw_reliability(last.reliability),
        ),
        Chart(
            "Similarities",
            "The less the two kinds of pair overlap, the better. Each kind has area 1.",
            draw_histograms(pairs),
            wide=len(pairs) > 1,
        ),
    ]
    if evaluated.similarities:
        names = list(runs)[:2]
        charts.append(
            Chart(
                "Do two members agree?",
                "A dot is a pair. Where members err on different pairs, their mixture errs less.",
                draw_scatter(*evaluated.similarities, names),
            )
        )
    if curves := draw_training(runs):
        charts.append(Chart("Training", "Each member over its steps.", curves, wide=True))
    return charts


def _pictures(evaluated: Evaluated, pairs: Sequence[HardPair]) -> list[PairPicture]:
    crops, images = evaluated.crops, evaluated.images
    return [
        PairPicture(
            crops[pair.left],
            crops[pair.right],
            (_caption(images, pair.left), _caption(images, pair.right)),
            pair.similarity,
        )
        for pair in pairs
    ]


def _caption(images: FaceImages, row: int) -> str:
    return f"{images.identities[row]}/{images.files[row].name}"
