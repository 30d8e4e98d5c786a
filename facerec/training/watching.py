"""What watches a training: its callbacks and loggers, as they are configured."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint, ProgressBar
from pytorch_lightning.loggers import Logger

from facerec.runtime.files import replace_file

log = logging.getLogger(__name__)

Build = Callable[..., Any]  # makes what a node of the configuration describes


def callbacks_of(cfg: DictConfig, build: Build) -> tuple[list[Callback], dict[str, bool]]:
    """The callbacks, and what tells Lightning whether to add its own.

    `trainer` can switch off checkpoints and the progress bar, or their callbacks can be left out.
    """
    callbacks = [build(callback) for callback in (cfg.get("callbacks") or {}).values() if callback]
    switches = {}
    for key, kind in (("enable_checkpointing", Checkpoint), ("enable_progress_bar", ProgressBar)):
        switched = [callback for callback in callbacks if isinstance(callback, kind)]
        switches[key] = bool(switched) and cfg.trainer.get(key) is not False
        if not switches[key]:
            callbacks = [callback for callback in callbacks if callback not in switched]
    return callbacks, switches


def watch_cosine(callbacks: list[Callback]) -> None:
    """Where no validation image has a name, what is nearest to the teacher is best."""
    for callback in callbacks:
        if getattr(callback, "monitor", None) == "val/MAP@R":
            callback.monitor = "val/cosine"  # type: ignore[attr-defined]
            log.info("%s watches val/cosine: no validation image has a name", type(callback).__name__)


def best_checkpoint(trainer: Trainer) -> Path | None:
    """The one that validation chose, if there was a validation."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and Path(callback.best_model_path).is_file():
            return Path(callback.best_model_path)
    return None


def loggers_of(cfg: DictConfig, run: Path, build: Build, group: str | None) -> list[Logger]:
    """The loggers; in a sweep, a W&B run of the group, which stays the same run when the job goes on."""
    loggers = []
    for name, logger in (cfg.get("logger") or {}).items():
        settings = {}
        if name == "wandb" and group is not None:
            file = run / "wandb-id.txt"
            if not file.exists() or not file.read_text():
                replace_file(file, uuid4().hex[:8].encode())
            settings = {"id": file.read_text(), "resume": "allow", "group": group, "job_type": run.parent.name}
        loggers.append(build(logger, **settings))
    return loggers
