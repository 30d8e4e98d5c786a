"""The best job of a sweep: `best.json`, and the table that a sweep ends with."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from facerec.errors import ConfigError
from facerec.runtime.files import replace_json
from facerec.study.freshness import INPUTS, read_inputs
from facerec.study.job_names import on_same_data

if TYPE_CHECKING:
    from facerec.data import FaceImages

log = logging.getLogger(__name__)

BEST = "best.json"


def objective(images: "FaceImages") -> str:
    """The metric that the jobs of a sweep are compared by; the higher the better."""
    return "val/MAP@R" if images.known else "val/cosine"


def best_run(folder: Path) -> Path:
    """The run that `best.json` in a sweep's folder names.

    Raises:
        ConfigError: the sweep has no finished job.
    """
    if not (folder / BEST).exists():
        raise ConfigError(
            f"study: {folder} has no {BEST}; run its sweep first: "
            f"python -m facerec.train --multirun experiment={folder.parent.name}/{folder.name}"
        )
    return folder / str(json.loads((folder / BEST).read_text())["job"])


def write_best(folder: Path, inputs: Mapping[str, Any], images: "FaceImages") -> dict[str, float]:
    """Write the best finished job under `folder` to `best.json`, with its reason; nothing if none is finished.

    Args:
        folder: of the sweep.
        inputs: of one of its jobs, see `job_inputs`; jobs on other data can't be compared and are left out.
        images: the data set of that job.

    Returns:
        Finished job → its `objective`, best first.
    """
    finished, name = {}, objective(images)
    for file in sorted(folder.glob(f"*/{INPUTS}")):
        job, metrics = read_inputs(file.parent), read_json(file.with_name("metrics.json"))
        if job and "config" in job and name in metrics and on_same_data(job, inputs, images):
            finished[file.parent.name] = float(metrics[name])
    values = dict(sorted(finished.items(), key=lambda item: item[1], reverse=True))
    if values:
        best, *others = values
        reason = f"highest {name} of {len(values)} finished jobs: {values[best]:.4f}"
        if others:
            reason += f", next {values[others[0]]:.4f} ({others[0]})"
        replace_json(folder / BEST, {"job": best, "reason": reason, name: values})
        log.info("%s: %s; %s", folder / BEST, best, reason)
    return values


def read_json(file: Path) -> dict[str, Any]:
    """What a job wrote; nothing where it was killed meanwhile."""
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s is left out, it can't be read (%s); its job is to be done again", file, error)
        return {}


def show_jobs(outcomes: Mapping[str, float | str | None], folder: Path, objective: str) -> None:
    """Print what became of each job: its objective, or a word."""
    table = Table("job", objective, title=f"Jobs under {folder}", title_justify="left")
    for name, value in sorted(outcomes.items(), key=lambda item: -item[1] if isinstance(item[1], float) else 1.0):
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else value or "-")
    Console(width=110, markup=False, emoji=False).print(table)
