"""The report of an evaluation: one HTML file that needs nothing else."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from facerec.report.plots import as_data_uri
from facerec.runtime.files import replace_file


class Chart(NamedTuple):
    """A chart with its heading and the sentence that says how to read it."""

    title: str
    note: str
    figure: Figure
    wide: bool = False


class PairPicture(NamedTuple):
    """Two crops `uint8 [3, 112, 112]`, their captions, and their similarity."""

    left: NDArray[Any]
    right: NDArray[Any]
    captions: tuple[str, str]
    similarity: float


def write_report(
    file: Path,
    results: Mapping[str, Any],
    charts: Sequence[Chart],
    hardest: Mapping[str, Sequence[PairPicture]],
) -> None:
    """Write the page.

    Args:
        file: where to.
        results: the content of `metrics.json`.
        charts: in order.
        hardest: heading → pairs.
    """
    environment = Environment(
        loader=PackageLoader("facerec.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["figure"] = _figure
    pictures = {
        heading: [
            {
                "left": _jpeg(pair.left),
                "right": _jpeg(pair.right),
                "captions": pair.captions,
                "similarity": pair.similarity,
            }
            for pair in pairs
        ]
        for heading, pairs in hardest.items()
    }
    drawn = [chart._asdict() | {"uri": as_data_uri(chart.figure)} for chart in charts]
    names = list(next(iter(results["systems"].values())))
    rates = {kind: [name for name in names if name.startswith(f"{kind}@")] for kind in ("TAR", "DIR")}
    page = environment.get_template("page.html.j2").render(
        results=results, rates=rates, unseen=_unseen(results), charts=drawn, hardest=pictures
    )
    replace_file(file, page.encode(errors="replace"))


def state_thresholds(file: Path, sentence: str) -> None:
    """Let the page say whose thresholds the model decides with, which another evaluation may have changed."""
    page = file.read_text(encoding="utf-8")
    said = f'<p id="thresholds">{escape(sentence)}</p>'
    replace_file(file, re.sub('<p id="thresholds">.*?</p>', lambda _: said, page).encode(errors="replace"))


def _unseen(results: Mapping[str, Any]) -> str:
    """What is known of whether the model has seen these people; of those it has, the page warns."""
    if results["trained_on"] is None:
        return "; whom the model was trained on is not known, so it may have seen them"
    if results["shared_identities"] is None:
        return f"; it was trained on another data set, {results['trained_on']}: they may be among its people"
    return "" if results["shared_identities"] else ", none of whom it has seen in training"


def _figure(found: Mapping[str, float | None] | None, signed: bool = False) -> Mapping[str, str]:
    """Value and limits as they are shown."""
    if not found or found["value"] is None:
        return {"value": "-", "limits": ""}
    shape = "{:+.4f}" if signed else "{:.4f}"
    limits = "" if found["low"] is None else f"{shape} … {shape}".format(found["low"], found["high"])
    return {"value": shape.format(found["value"]), "limits": limits}


def _jpeg(crop: NDArray[Any]) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.moveaxis(crop, 0, 2)).save(stream, "jpeg", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
