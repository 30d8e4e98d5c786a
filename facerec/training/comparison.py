"""A student beside its teacher, on people whom the student has never seen."""

import math
import time
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from facerec.data import FaceData
from facerec.metrics import retrieval_metrics
from facerec.models import CropEmbedder
from facerec.models.embedder import Embedder
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


def compare(student: Embedder, teacher: Teacher, data: FaceData) -> tuple[Quality, Quality]:
    """How good student and teacher are on the validation images, and how fast, on the device of the training.

    The teacher is measured by its own vectors; the cosine is that to what the student was to say, which for a
    teacher of more numbers is their projection.
    """
    rows = data.images.rows("val")
    own = teacher.vectors("val")
    targets = teacher.projected(own)
    given = student.embed(data.crops[rows])
    timed = np.array(data.crops[rows[:_TIMED]])
    labels = data.images.labels()[rows] if data.images.known else None
    return (
        Quality(*_retrieval(given, labels), _cosine(given, targets), _milliseconds(student, timed)),
        Quality(*_retrieval(own, labels), 1.0, _milliseconds(teacher.embedder, timed)),
    )


def _retrieval(vectors: NDArray[np.float32], labels: NDArray[np.int64] | None) -> tuple[float, float]:
    if labels is None:
        return math.nan, math.nan
    values = retrieval_metrics(torch.from_numpy(vectors), torch.from_numpy(labels))
    return values.map_at_r, values.precision_at_1


def _cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return float((left * right).sum(axis=1).mean())


def _milliseconds(embedder: CropEmbedder, crops: NDArray[np.uint8]) -> float:
    """The fastest of some rounds, the first of which warms up."""
    seconds = []
    for _ in range(1 + _ROUNDS):
        start = time.perf_counter()
        embedder.embed(crops)
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds[1:]) / len(crops)


def show_student(student: Quality, teacher: Quality, name: str) -> None:
    """Print a student beside its teacher.

    Args:
        student: how good it is.
        teacher: how good its teacher is.
        name: of the teacher.
    """
    title = "Student beside teacher on the validation images"
    table = Table("", "MAP@R", "P@1", "cosine", "ms a crop", title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for label, quality in (("student", student), (f"teacher {name}", teacher)):
        cells = ["-" if math.isnan(value) else f"{value:.4f}" for value in quality[:3]]
        table.add_row(label, *cells, f"{quality.milliseconds:.1f}")
    console = Console(width=110, markup=False, emoji=False)
    console.print(table)
    if not math.isnan(kept := student.map_at_r / teacher.map_at_r):
        console.print(f"the student keeps {kept:.0%} of its teacher's MAP@R", highlight=False)
