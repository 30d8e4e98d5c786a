"""Loggers of the jobs after training."""

from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.study.layout import study_dir


def loggers_of(cfg: DictConfig, out: Path) -> list[Any]:
    """The configuration's loggers; what a study writes joins the study's group on W&B, as its sweeps do."""
    study = study_dir(cfg) if "study" in cfg else None
    of_study = {"group": str(study), "job_type": out.name} if out.parent == study else {}
    return [
        instantiate(logger, **(of_study if name == "wandb" else {})) for name, logger in (cfg.logger or {}).items()
    ]
