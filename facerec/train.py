"""Train one embedder: `python -m facerec.train backbone=resnet34 loss=arcface`."""

import json
import logging
import math
import shlex
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError, ModelError
from facerec.job import going_on, relaunched_as_run, run_job, wandb_finished
from facerec.study.best import objective
from facerec.study.freshness import INPUTS, begin, finish, read_inputs
from facerec.study.job_names import is_finished, job_inputs
from facerec.study.layout import study_dir
from facerec.training import run_training

if TYPE_CHECKING:
    from pytorch_lightning import Callback

    from facerec.data import FaceImages

log = logging.getLogger(__name__)


def train(cfg: DictConfig, callbacks: Sequence["Callback"] = ()) -> float:
    """Train, measure the best checkpoint, and write the model folder of one run; returns its validation MAP@R.

    In a multirun, a finished run is left as it is and an unfinished one goes on.
    """
    from facerec.distributed.relaunch import process_group_closed

    run = Path(HydraConfig.get().runtime.output_dir)
    build = partial(instantiate, _convert_="all")  # plain lists and dicts, which every library knows
    images = build(cfg.dataset)
    group = _wandb_group(cfg) if HydraConfig.get().mode == RunMode.MULTIRUN else None
    inputs = job_inputs(cfg, images)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        _forget_damaged(run)
        if is_finished(run, inputs, images):
            _say_finished(run)
            return float(json.loads((run / "metrics.json").read_text())[objective(images)])
        _go_on(cfg, run)
    _check(cfg, run, images)
    begin(run, inputs)
    with (
        going_on(lambda: _how_to_go_on(run)),
        wandb_finished(),
        process_group_closed(),
        relaunched_as_run(cfg, run),
    ):
        metrics = run_training(cfg, run, images, build, group=group, callbacks=callbacks)
    if metrics is None:
        return math.nan
    finish(run, inputs)
    return metrics.get(objective(images), math.nan)


def _wandb_group(cfg: DictConfig) -> str:
    """That of the study for its sweeps, which its assembly and evaluation join; else the sweep."""
    job = HydraConfig.get()
    return str(study_dir(cfg) if job.runtime.choices.get("experiment") else job.sweep.dir)


def _say_finished(run: Path) -> None:
    from facerec._version import __version__
    from facerec.models.folder import read_contract

    maker = read_contract(run / "model")["origin"].get("facerec")
    by = "" if maker == __version__ else f" by facerec {maker}, this is {__version__}; it is kept"
    log.info("%s: finished before%s", run, by)


def _forget_damaged(run: Path) -> None:
    """A job that can't be read as finished counts as unfinished: it was killed while it wrote that down."""
    for file in (run / INPUTS, run / "metrics.json"):
        try:
            if (run / INPUTS).exists():
                json.loads(file.read_text())
        except (OSError, ValueError):
            log.warning("%s is missing or damaged, so this job is done again from its last checkpoint", file)
            (run / INPUTS).unlink()


def _how_to_go_on(run: Path) -> str:
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return "the same command skips the finished jobs and goes on with this one"
    checkpoint = run / "checkpoints" / "last.ckpt"
    if not checkpoint.exists():
        return "no epoch was finished, so the training has to start again"
    ours = ("resume=", "init_from=", "hydra.run.dir=")
    command = shlex.join([*(given for given in sys.argv[1:] if not given.startswith(ours)), f"resume={run}"])
    return f"the epochs up to now are in {checkpoint}; go on with\npython -m facerec.train {command}"


def _go_on(cfg: DictConfig, run: Path) -> None:
    """Let the job of a sweep go on where it stopped, if it had come to a checkpoint."""
    from facerec.training.checkpoints import last_checkpoint

    if cfg.resume is not None:
        raise ConfigError("resume: is of one run; the jobs of a sweep go on by themselves when it is given again")
    if read_inputs(run) and (run / "model").exists():
        raise ConfigError(f"{run} was finished with other images or values; move it away to train again")
    (run / INPUTS).unlink(missing_ok=True)  # of a job that lost its model, or damaged
    if last_checkpoint(run):
        cfg.resume = str(run)
    elif (run / "checkpoints").exists():
        shutil.rmtree(run / "checkpoints")  # it was killed while it wrote the first


def _check(cfg: DictConfig, run: Path, images: "FaceImages") -> None:
    """Everything that can be refused before work starts."""
    if not 0 <= cfg.seed < 2**32:
        raise ConfigError(f"seed must lie between 0 and 2³² - 1, not {cfg.seed}")
    sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    if sweep and cfg.trainer.get("limit_val_batches") == 0:
        raise ConfigError(f"trainer.limit_val_batches is 0, but a sweep compares its jobs by {objective(images)}")
    held = [*run.glob("checkpoints/*.ckpt"), *([] if sweep else run.glob("model/model.yaml"))]
    if held and cfg.resume is None:
        resume = f"go on with it, resume={run}, or " * held[0].match("*.ckpt")
        raise ConfigError(f"hydra.run.dir: {run} holds another run; {resume}choose another folder")
    if cfg.resume is None:
        return

    from facerec.training.checkpoints import last_checkpoint

    if Path(cfg.resume).resolve() != run.resolve():
        raise ConfigError(f"hydra.run.dir: {run} is not the run that goes on, resume={cfg.resume}; leave it out")
    if not last_checkpoint(run):
        raise ModelError(f"resume: {cfg.resume} has no complete checkpoint")
    if cfg.init_from is not None:
        raise ConfigError("resume goes on with a run and init_from starts a new one: give one of them")


if __name__ == "__main__":
    run_job("train", train)
