"""A student beside its teacher, on people whom the student has never seen."""

import math
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.loggers import Logger, WandbLogger
from rich.console import Console
from torch import nn

from facerec.data import FaceData
from facerec.metrics import retrieval_metrics
from facerec.models import CropEmbedder
from facerec.models.embedder import Embedder
from facerec.report.table import figures_table
from facerec.training.teacher import Teacher

_TIMED = 64  # crops at once
_ROUNDS = 5


class Quality(NamedTuple):
    """Of the vectors of the validation images; nan where no identity is known.

    Attributes:
        map_at_r: MAP@R, 0..1.
        precision_at_1: P@1, 0..1.
        cosine: to the teacher's vectors, on average.
        milliseconds: a crop, in batches of 64.
    """

    map_at_r: float
    precision_at_1: float
    cosine: float
    milliseconds: float


def compare(
    student: Embedder, teacher: Teacher, data: FaceData, measured: Mapping[str, float]
) -> tuple[Quality, Quality]:
    """How good student and teacher are on the validation images, and how fast, on the device of the teacher.

    The teacher is measured by its own vectors; the cosine is that to what the student was to say, which for a
    teacher of more numbers is their projection.

    Args:
        student: what was trained.
        teacher: what taught it.
        data: whose validation images they are.
        measured: the student's metrics, named `val/MAP@R` and so on.
    """
    rows = data.images.rows("val")
    timed = np.array(data.crops[rows[:_TIMED]])
    retrieval = math.nan, math.nan
    if data.images.known:
        labels = torch.from_numpy(data.images.labels()[rows])
        values = retrieval_metrics(torch.from_numpy(teacher.validation), labels)
        retrieval = values.map_at_r, values.precision_at_1
    map_at_r, precision, cosine = (measured.get(f"val/{name}", math.nan) for name in ("MAP@R", "P@1", "cosine"))
    device = torch.device("cpu")
    if isinstance(teacher.embedder, nn.Module):
        device = next(teacher.embedder.buffers()).device
    return (
        Quality(map_at_r, precision, cosine, _milliseconds(student.to(device), timed)),
        Quality(*retrieval, 1.0, _milliseconds(teacher.embedder, timed)),
    )


def _milliseconds(embedder: CropEmbedder, crops: NDArray[np.uint8]) -> float:
    """The fastest of some rounds, the first of which warms up."""
    seconds = []
    for _ in range(1 + _ROUNDS):
        start = time.perf_counter()
        embedder.embed(crops)
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds[1:]) / len(crops)


def figures(student: Quality, teacher: Quality) -> dict[str, float]:
    """What the comparison adds to the metrics of a run: all but those of the student that are there already."""
    values = {
        "teacher/MAP@R": teacher.map_at_r,
        "teacher/P@1": teacher.precision_at_1,
        "teacher/milliseconds": teacher.milliseconds,
        "student/milliseconds": student.milliseconds,
    }
    return {name: value for name, value in values.items() if not math.isnan(value)}


def show_student(student: Quality, teacher: Quality, name: str, loggers: Iterable[Logger]) -> None:
    """Print a student beside its teacher; log the same table to W&B.

    Args:
        student: how good it is.
        teacher: how good its teacher is.
        name: of the teacher.
        loggers: of the run.
    """
    title = "Student beside teacher on the validation images"
    columns = ["", "MAP@R", "P@1", "cosine", "ms a crop"]
    rows = []
    for label, quality in (("student", student), (f"teacher {name}", teacher)):
        cells = ["-" if math.isnan(value) else f"{value:.4f}" for value in quality[:3]]
        rows.append([label, *cells, f"{quality.milliseconds:.1f}"])
    table = figures_table(*columns, title=title)
    for row in rows:
        table.add_row(*row)
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_table("student beside teacher", columns=columns, data=rows)
    console = Console(width=110, markup=False, emoji=False)
    console.print(table)
    if teacher.map_at_r > 0:  # not NaN
        kept = student.map_at_r / teacher.map_at_r
        console.print(f"the student keeps {kept:.0%} of its teacher's MAP@R", highlight=False)
