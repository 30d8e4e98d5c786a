"""The report of an evaluation: one HTML file without any other."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import escape
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from facerec.report.plots import as_data_uri
from facerec.report.templates import templates
from facerec.runtime.files import replace_file


class Chart(NamedTuple):
    """A chart, its title, its subtitle, and a sentence that says how to read it."""

    title: str
    subtitle: str
    note: str
    figure: Figure
    wide: bool = False


class PairImages(NamedTuple):
    """Two crops `uint8 [3, 112, 112]`, their captions, and their similarity."""

    left: NDArray[Any]
    right: NDArray[Any]
    captions: tuple[str, str]
    similarity: float


def write_report(
    file: Path,
    results: Mapping[str, Any],
    charts: Sequence[Chart],
    hardest: Mapping[str, Sequence[PairImages]],
) -> None:
    """Write the page.

    Args:
        file: where to.
        results: the content of `metrics.json`.
        charts: in order.
        hardest: heading → pairs.
    """
    pairs_by_heading = {
        heading: [
            {
                "left": as_jpeg_uri(pair.left),
                "right": as_jpeg_uri(pair.right),
                "captions": pair.captions,
                "similarity": pair.similarity,
            }
            for pair in pairs
        ]
        for heading, pairs in hardest.items()
    }
    render("page.html.j2", file, results, charts, unseen=say_unseen(results), hardest=pairs_by_heading)


def render(template: str, file: Path, results: Mapping[str, Any], charts: Sequence[Chart], **more: Any) -> None:
    """Write a page of a template of this folder, which gets `results`, `rates`, `charts` and `more`."""
    environment = templates()
    environment.filters["figure"] = as_figure
    drawn = [chart._asdict() | {"uri": as_data_uri(chart.figure)} for chart in charts]
    names = list(next(iter(results["systems"].values())))
    rates = {kind: [name for name in names if name.startswith(f"{kind}@")] for kind in ("TAR", "DIR")}
    page = environment.get_template(template).render(results=results, rates=rates, charts=drawn, **more)
    replace_file(file, page.encode(errors="replace"))


def state_thresholds(file: Path, sentence: str) -> None:
    """Write into the page which thresholds the model uses; another evaluation may have changed them."""
    page = file.read_text(encoding="utf-8")
    paragraph = f'<p id="thresholds">{escape(sentence)}</p>'
    replace_file(file, re.sub('<p id="thresholds">.*?</p>', lambda _: paragraph, page).encode(errors="replace"))


def say_unseen(results: Mapping[str, Any]) -> str:
    """Say whether the model was trained on these people, if that is known; a warning stands apart from this."""
    if results["trained_on"] is None:
        return "; it is not known on whom the model was trained, so they may be among its training people"
    unknown = ", ".join(results.get("training_unknown") or ())
    besides = f"; on whom {unknown} was trained is not known" if unknown else ""
    if results["shared_identities"] is None:
        return (
            f"; it was trained on another data set, {results['trained_on']}: they may be among its training people"
            f"{besides}"
        )
    if results["shared_identities"]:
        return ""
    return ", none of whom the model was trained on" + (f", as far as is known{besides}" if besides else "")


def as_figure(interval: Mapping[str, float | None] | None, signed: bool = False) -> Mapping[str, str]:
    """Value and limits as text."""
    if not interval or interval["value"] is None:
        return {"value": "-", "limits": ""}
    shape = "{:+.4f}" if signed else "{:.4f}"
    limits = "" if interval["low"] is None else f"{shape} … {shape}".format(interval["low"], interval["high"])
    return {"value": shape.format(interval["value"]), "limits": limits}


def as_jpeg_uri(crop: NDArray[Any]) -> str:
    """A crop `uint8 [3, H, W]` as the address of an image in a page."""
    stream = io.BytesIO()
    Image.fromarray(np.moveaxis(crop, 0, 2)).save(stream, "jpeg", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
