"""The model card: what a model is for, what it learnt from, how good it is, and its limits."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from facerec.models import Model
from facerec.models.folder import CARD
from facerec.models.onnx_contract import CONTRACT
from facerec.models.training_people import training_people
from facerec.report.page import as_figure, say_unseen
from facerec.runtime.files import replace_file

log = logging.getLogger(__name__)

_MARKER = "<!-- facerec evaluate wrote this card and will write it anew; one without this line is left alone -->"
_FEW = 100  # people, below whom intervals are wide
_FIGURES = ("MAP@R", "P@1", "R-precision", "A@1/unseen", "TAR@", "EER", "DIR@", "ECE")


def write_card(model: Model, results: Mapping[str, Any]) -> None:
    """Write `README.md` into the folder of a model; one that somebody else wrote stays.

    Args:
        model: with the thresholds of this evaluation.
        results: the content of `metrics.json`.

    Raises:
        OSError: the disk refuses.
    """
    folder = _folder(model)
    if folder is None:
        return
    file = folder / CARD
    if file.exists() and not file.read_text(encoding="utf-8", errors="replace").startswith(_MARKER):
        log.warning("%s: was not written by facerec, so it stays; move it to get a model card", file)
        return
    replace_file(file, _text(model, folder, results).encode(errors="replace"))


def _folder(model: Model) -> Path | None:
    """The model's own folder; None: it has none, as a ready-made model, or a contract among other files."""
    if model.path.is_dir():
        return model.path
    return model.path.parent if model.path.name == CONTRACT else None


def _text(model: Model, folder: Path, results: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("facerec.report", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, for the reader of a text file
    )
    environment.filters["figure"] = as_figure
    people = training_people(model.statistics)
    figures = results["systems"][next(reversed(results["systems"]))]
    slices = results["slices"] if len(results["slices"]) > 1 else {}  # a single one holds all images
    return environment.get_template("card.md.j2").render(
        marker=_MARKER,
        name=folder.parent.name if folder.name == "model" else folder.name,
        dim=model.dim,
        members=list(model.members),
        trained_on={dataset: len(digests) for dataset, digests in people.known.items()},
        unknown=[] if people.known == {} else people.unknown,
        teachers=model.teachers,
        results=results,
        unseen=say_unseen(results),
        figures={name: value for name, value in figures.items() if name.startswith(_FIGURES)},
        slices=slices,
        worst=min(slices, key=lambda name: slices[name]["MAP@R"]["value"], default=""),
        thresholds=model.statistics.thresholds,
        few=_FEW,
        licence=model.origin.get("licence") or model.origin.get("licences"),
        non_commercial=bool(model.origin.get("non_commercial")),
    )
