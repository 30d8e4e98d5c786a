"""Sweeps that go on: failed jobs stop no others, finished ones are not done again, the best is written down."""

import hashlib
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

from facerec.atomic import replace_file
from facerec.errors import ConfigError, FacerecError
from facerec.steps import INPUTS

log = logging.getLogger(__name__)

BEST = "best.json"
OBJECTIVE = "val/MAP@R"
_OUTCOME = "outcome.json"
# what runs are called, where and how they are logged, and how fast they go
_INDECISIVE = ("hydra", "hparams_search", "study", "logger", "callbacks", "ckpt_path")
_INDECISIVE_DATA = ("cache_dir", "decode_workers", "num_workers")


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
        values = write_best(folder, config.dataset)
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


def write_best(folder: Path, dataset: DictConfig) -> dict[str, float]:
    """Write the best finished job under `folder` to `best.json`, with its reason; nothing if none is finished.

    Returns:
        Finished job → its validation MAP@R, best first, of the jobs on this data set: others can't be compared.
    """
    found = {}
    for inputs in sorted(folder.glob(f"*/{INPUTS}")):
        metrics = _read(inputs.parent / "metrics.json")
        of = _read(inputs).get("config", {}).get("dataset")
        if OBJECTIVE in metrics and of == OmegaConf.to_container(dataset, resolve=True):
            found[inputs.parent.name] = float(metrics[OBJECTIVE])
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


def job_name(*, _root_: DictConfig) -> str:
    """Folder of a job in a sweep: loss, learning rate, and a hash over all that decides what comes out.

    Registered as the resolver `${job_name:}`. Jobs share a folder only if they are the same job.
    """
    digest = hashlib.sha256(json.dumps(decisive(_root_), sort_keys=True).encode()).hexdigest()[:8]
    return f"{_root_.hydra.runtime.choices.loss}-lr{_root_.optimizer.lr:g}-{digest}"


def decisive(cfg: DictConfig) -> dict[str, Any]:
    """What of a run's configuration decides its metrics, resolved."""
    plain: dict[str, Any] = {
        str(key): OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in cfg.items()
        if key not in _INDECISIVE
    }
    plain["data"] = {key: value for key, value in plain["data"].items() if key not in _INDECISIVE_DATA}
    return plain


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
    Console(width=110).print(table)
