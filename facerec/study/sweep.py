"""Sweeps that go on: failed jobs stop no others, finished ones are not done again, the best is written down."""

import json
import logging
import math
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from facerec.errors import ConfigError, FacerecError
from facerec.runtime.files import replace_file
from facerec.study.freshness import INPUTS, read_inputs
from facerec.study.job_names import UNREADABLE, data_of, on_data_of, open_images_of

log = logging.getLogger(__name__)

BEST = "best.json"
OBJECTIVE = "val/MAP@R"
_OUTCOME = "outcome.json"


class SweepSummary(Callback):
    """Lets a multirun outlive its failed jobs; ends it with a table, `best.json`, and status 1 if a job failed.

    Launchers pickle this object into their jobs, wherever they run: so a job knows whose it is, and other
    multiruns may work in the same folder at the same time.
    """

    def __init__(self) -> None:
        self.multirun = ""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Name this multirun."""
        self.multirun = uuid4().hex

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Write down what became of the job, beside what it wrote."""
        if not self.multirun:
            return
        problem = ""
        try:
            _ = job_return.return_value
        except Exception as error:
            expected = isinstance(error, FacerecError)
            problem = str(error) if expected else repr(error)
            log.error("%s", error, exc_info=None if expected else error)
            # or Hydra would end the multirun without its summary
            job_return.status, job_return.return_value = JobStatus.COMPLETED, math.nan
        outcome = json.dumps({"multirun": self.multirun, "problem": problem})
        replace_file(Path(config.hydra.runtime.output_dir) / _OUTCOME, outcome.encode())

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Look at what the jobs left."""
        folder = Path(config.hydra.sweep.dir)
        outcomes = {file.parent.name: _read(file) for file in sorted(folder.glob(f"*/{_OUTCOME}"))}
        problems = {name: of["problem"] for name, of in outcomes.items() if of.get("multirun") == self.multirun}
        values = write_best(folder, config)
        _show({name: "failed" if problem else values.get(name) for name, problem in problems.items()}, folder)
        if failed := {name: problem for name, problem in problems.items() if problem}:
            log.error(
                "%d of %d jobs under %s failed; the same command does these again and skips the others:%s",
                len(failed),
                len(problems),
                folder,
                "".join(f"\n  {name}: {problem}" for name, problem in failed.items()),
            )
            sys.exit(1)  # any other exception of a callback is no more than a warning to Hydra


def best_run(folder: Path) -> Path:
    """The run that `best.json` in a sweep's folder names.

    Raises:
        ConfigError: the sweep has no finished job.
    """
    if not (folder / BEST).exists():
        raise ConfigError(
            f"study: {folder} has no {BEST}; run its sweep first: "
            f"python -m facerec.train --multirun experiment={folder.name} study={folder.parent.name}"
        )
    return folder / str(json.loads((folder / BEST).read_text())["job"])


def write_best(folder: Path, cfg: DictConfig) -> dict[str, float]:
    """Write the best finished job under `folder` to `best.json`, with its reason; nothing if none is finished.

    Returns:
        Finished job → its validation MAP@R, best first, of the jobs on the data of `cfg`: others can't be compared.
    """
    try:
        images = open_images_of(cfg)
        wanted = {
            "config": {"dataset": OmegaConf.to_container(cfg.dataset, resolve=True)},
            "data": data_of(cfg, images),
        }
    except UNREADABLE:
        return {}  # so no job was finished on them
    found = {}
    for file in sorted(folder.glob(f"*/{INPUTS}")):
        job, metrics = read_inputs(file.parent), _read(file.with_name("metrics.json"))
        if job and "config" in job and OBJECTIVE in metrics and on_data_of(job, wanted, images):
            found[file.parent.name] = float(metrics[OBJECTIVE])
    values = dict(sorted(found.items(), key=lambda item: item[1], reverse=True))
    if values:
        best, *others = values
        reason = f"highest {OBJECTIVE} of {len(values)} finished jobs: {values[best]:.4f}"
        if others:
            reason += f", next {values[others[0]]:.4f} ({others[0]})"
        content = json.dumps({"job": best, "reason": reason, OBJECTIVE: values}, indent=1) + "\n"
        replace_file(folder / BEST, content.encode())
        log.info("%s: %s; %s", folder / BEST, best, reason)
    return values


def _read(file: Path) -> dict[str, Any]:
    """What a job wrote; nothing where it was killed meanwhile."""
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s is left out, it can't be read (%s); its job is to be done again", file, error)
        return {}


def _show(outcomes: dict[str, Any], folder: Path) -> None:
    table = Table("job", OBJECTIVE, title=f"Jobs under {folder}", title_justify="left")
    for name, value in sorted(outcomes.items(), key=lambda item: -item[1] if isinstance(item[1], float) else 1.0):
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else value or "-")
    Console(width=110, markup=False, emoji=False).print(table)
