"""What a sweep does around its jobs: failed ones stop no others, and the best is written down at the end."""

import logging
import math
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from facerec.errors import FacerecError
from facerec.runtime.files import replace_json
from facerec.study.best import objective, read_json, show_jobs, write_best
from facerec.study.job_names import job_inputs, job_name

log = logging.getLogger(__name__)

UNREADABLE = (FacerecError, HydraException, OmegaConfBaseException, OSError)  # of data sets that a job can't open
_OUTCOME = "outcome.json"


def resolve_job_name(*, _root_: DictConfig) -> str:
    """Folder of a job in its sweep, registered as the resolver `${job_name:}`."""
    try:
        images = instantiate(_root_.dataset, _convert_="all")
        inputs = job_inputs(_root_, images)
    except UNREADABLE:  # the job itself will say what is wrong
        images = inputs = None
    return job_name(_root_, inputs, images)


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
        outcome = {"multirun": self.multirun, "problem": problem}
        replace_json(Path(config.hydra.runtime.output_dir) / _OUTCOME, outcome)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Look at what the jobs left."""
        folder = Path(config.hydra.sweep.dir)
        outcomes = {file.parent.name: read_json(file) for file in sorted(folder.glob(f"*/{_OUTCOME}"))}
        problems = {
            name: outcome["problem"]
            for name, outcome in outcomes.items()
            if outcome.get("multirun") == self.multirun
        }
        compared_by, values = _write_best(folder, config)
        jobs = {name: "failed" if problem else values.get(name) for name, problem in problems.items()}
        show_jobs(jobs, folder, compared_by)
        if failed := {name: problem for name, problem in problems.items() if problem}:
            log.error(
                "%d of %d jobs under %s failed; the same command does these again and skips the others:%s",
                len(failed),
                len(problems),
                folder,
                "".join(f"\n  {name}: {problem}" for name, problem in failed.items()),
            )
            sys.exit(1)  # any other exception of a callback is no more than a warning to Hydra


def _write_best(folder: Path, config: DictConfig) -> tuple[str, dict[str, float]]:
    """What the jobs are compared by, and each finished one's value."""
    try:
        images = instantiate(config.dataset, _convert_="all")
        return objective(images), write_best(folder, job_inputs(config, images), images)
    except UNREADABLE:
        return "objective", {}  # so no job was finished on this data
