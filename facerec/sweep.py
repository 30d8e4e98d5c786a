"""Sweeps that go on: failed jobs stop no others, finished ones are not done again, the best is written down."""

import hashlib
import json
import logging
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

from facerec.atomic import replace_file
from facerec.errors import ConfigError, FacerecError
from facerec.steps import INPUTS, read_inputs

if TYPE_CHECKING:
    from facerec.data import FaceImages

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
        outcomes = {file.parent.name: json.loads(file.read_text()) for file in sorted(folder.glob(f"*/{_OUTCOME}"))}
        problems = {name: of["problem"] for name, of in outcomes.items() if of["multirun"] == self.multirun}
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
    images = _open(cfg)
    if images is None:
        return {}
    wanted = job_inputs(cfg, images)
    found = {}
    for file in sorted(folder.glob(f"*/{INPUTS}")):
        job = read_inputs(file.parent)
        if job and "config" in job and _on_data_of(job, wanted, images):
            found[file.parent.name] = float(json.loads((file.parent / "metrics.json").read_text())[OBJECTIVE])
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

    Registered as the resolver `${job_name:}`. Jobs share a folder only if they are the same job on the same data,
    wherever that lies. Data that can't be opened has no part in the name: the job itself will say what is wrong.
    """
    config = decisive(_root_)
    before = _named(_root_, config)  # what jobs were called when data had no part in their names
    images = _open(_root_)
    if images is None:
        return before
    inputs = job_inputs(_root_, images)
    if finished(Path(_root_.hydra.sweep.dir) / before, inputs, images):
        return before
    return _named(_root_, {**config, "dataset": inputs["data"]})


def job_inputs(cfg: DictConfig, images: "FaceImages") -> dict[str, Any]:
    """What goes into a training job: its configuration and its data."""
    from facerec.data.fingerprint import data_fingerprint

    return {"config": decisive(cfg), "data": data_fingerprint(images, Path(cfg.data.cache_dir))}


def finished(run: Path, inputs: Mapping[str, Any], images: "FaceImages") -> bool:
    """Whether the job in `run` was finished with these `job_inputs`, by whatever version and wherever they lay."""
    job, wanted = read_inputs(run), json.loads(json.dumps(inputs))
    if job is None or not (run / "model").is_dir() or not _on_data_of(job, wanted, images):
        return False
    return {**job["config"], "dataset": None} == {**wanted["config"], "dataset": None}


def decisive(cfg: DictConfig) -> dict[str, Any]:
    """What of a run's configuration decides its metrics, resolved."""
    plain: dict[str, Any] = {
        str(key): OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in cfg.items()
        if key not in _INDECISIVE
    }
    plain["data"] = {key: value for key, value in plain["data"].items() if key not in _INDECISIVE_DATA}
    return plain


def _on_data_of(job: Mapping[str, Any], wanted: Mapping[str, Any], images: "FaceImages") -> bool:
    """Whether a job had the wanted data; one that wrote down the times of its files, the same folder of it, too."""
    from facerec.data.fingerprint import dated_fingerprint

    if job["data"] == wanted["data"]:
        return True
    same_folder = bool(job["config"]["dataset"] == wanted["config"]["dataset"])
    return same_folder and bool(job["data"] == dated_fingerprint(images))


def _open(cfg: DictConfig) -> "FaceImages | None":
    """The data set of a job; None if it can't be opened."""
    try:
        images: FaceImages = instantiate(cfg.dataset, _convert_="all")
    except (FacerecError, HydraException, OmegaConfBaseException, OSError):
        return None
    return images if all(file.is_file() for file in images.files) else None


def _named(cfg: DictConfig, decides: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:8]
    return f"{cfg.hydra.runtime.choices.loss}-lr{cfg.optimizer.lr:g}-{digest}"


def _show(outcomes: dict[str, Any], folder: Path) -> None:
    table = Table("job", OBJECTIVE, title=f"Jobs under {folder}", title_justify="left")
    for name, value in sorted(outcomes.items(), key=lambda item: -item[1] if isinstance(item[1], float) else 1.0):
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else value or "-")
    Console(width=110, markup=False, emoji=False).print(table)
