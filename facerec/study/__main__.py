"""Run a whole study: `python -m facerec.study experiment=orl`."""

import logging
import shlex
import subprocess
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from facerec.errors import ConfigError, FacerecError
from facerec.job import recipes_of, run_job
from facerec.study.sequence import steps

log = logging.getLogger(__name__)


def study(cfg: DictConfig) -> None:
    """Say what is to be done, and do it job by job; what is finished is not done again."""
    name = str(cfg.study)
    recipes = recipes_of(name)
    if not recipes:
        known = ", ".join(recipes_of(""))
        raise ConfigError(f"experiment: {name} is no study; there are {known}, as in experiment=orl")
    places = [given for given in HydraConfig.get().overrides.task if given.startswith("paths.")]
    overrides = {key: [*places, *cfg[key]] for key in ("train", "assemble", "evaluate")}
    sequence = steps(name, recipes, Path(cfg.paths.outputs), launcher=cfg.launcher, **overrides)
    for number, step in enumerate(sequence, 1):
        state = "was finished before, and is only checked" if step.result.exists() else "to do"
        log.info("%d of %d, %s: python %s", number, len(sequence), state, shlex.join(step.command))
    if cfg.dry_run:
        return
    for number, step in enumerate(sequence, 1):
        log.info("%d of %d: python %s", number, len(sequence), shlex.join(step.command))
        status = subprocess.run([sys.executable, *step.command], check=False).returncode
        if status:
            raise FacerecError(f"{step.job} ended with status {status}; the same command goes on from there")


if __name__ == "__main__":
    # `experiment` is a group of recipes everywhere else
    sys.argv[1:] = [argument.replace("experiment=", "study=", 1) for argument in sys.argv[1:]]
    run_job("study", study)
