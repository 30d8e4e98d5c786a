"""Train one embedder: `python -m facerec.train backbone=resnet34 loss=arcface`."""

import json
import logging
import math
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from facerec.errors import ConfigError, ModelError
from facerec.job import run_job, wandb_finished
from facerec.job_name import finished, job_inputs
from facerec.launched import processes_ended
from facerec.steps import INPUTS, finish, read_inputs
from facerec.sweep import OBJECTIVE
from facerec.training import instantiate, run_training

if TYPE_CHECKING:
    from pytorch_lightning import Callback

log = logging.getLogger(__name__)


def train(cfg: DictConfig, callbacks: Sequence["Callback"] = ()) -> float:
    """Train, measure the best checkpoint, and write the model folder of one run; returns its validation MAP@R.

    In a multirun, a finished run is left as it is and an unfinished one goes on.
    """
    run = Path(HydraConfig.get().runtime.output_dir)
    images = instantiate(cfg.dataset)
    inputs = job_inputs(cfg, images)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        if finished(run, inputs, images):
            _say_finished(run)
            return float(json.loads((run / "metrics.json").read_text())[OBJECTIVE])
        _go_on(cfg, run)
    _check(cfg, run)
    with wandb_finished(), processes_ended():
        metrics = run_training(cfg, run, images, callbacks)
    if metrics:
        finish(run, inputs)
    return metrics.get(OBJECTIVE, math.nan)


def _say_finished(run: Path) -> None:
    from facerec import __version__
    from facerec.model import read_origin

    maker = read_origin(run / "model").get("facerec")
    by = "" if maker == __version__ else f" by facerec {maker}, this is {__version__}; it is kept"
    log.info("%s: finished before%s", run, by)


def _go_on(cfg: DictConfig, run: Path) -> None:
    """Let the job of a sweep go on where it stopped, if it had come to a checkpoint."""
    if read_inputs(run) and (run / "model").exists():
        raise ConfigError(f"{run} was finished with other images or values; move it away to train again")
    (run / INPUTS).unlink(missing_ok=True)  # of a job that lost its model, or damaged
    checkpoints = run / "checkpoints"
    whole = [file for file in (checkpoints / "last.ckpt", checkpoints / "best.ckpt") if zipfile.is_zipfile(file)]
    if cfg.ckpt_path is None and whole:
        cfg.ckpt_path = str(whole[0])
    elif checkpoints.exists() and cfg.ckpt_path is None:
        shutil.rmtree(checkpoints)  # it was killed while it wrote the first


def _check(cfg: DictConfig, run: Path) -> None:
    """Everything that can be refused before work starts."""
    if (run / "checkpoints").exists() and cfg.ckpt_path is None:
        raise ConfigError(
            f"hydra.run.dir: {run} holds another run; resume it with ckpt_path={run}/checkpoints/last.ckpt, or "
            "choose another folder"
        )
    if cfg.ckpt_path is not None and not zipfile.is_zipfile(cfg.ckpt_path):
        raise ModelError(f"ckpt_path: {cfg.ckpt_path} is missing or is no complete checkpoint")
    if cfg.ckpt_path is not None and cfg.init_from is not None:
        raise ConfigError("ckpt_path resumes a run and init_from starts a new one: give one of them")


if __name__ == "__main__":
    run_job("train", train)
