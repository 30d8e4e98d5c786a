"""Run a whole study: `python -m facerec.study experiment=orl`."""

import logging
import multiprocessing
import runpy
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from facerec.errors import ConfigError, FacerecError
from facerec.job import recipes_of, run_job
from facerec.study.sequence import steps

log = logging.getLogger(__name__)

_PRELOADED = ["torch", "pytorch_lightning", "wandb", "facerec.training.run", "facerec.training.learner"]


def study(cfg: DictConfig) -> None:
    """Say what is to be done, and do it job by job; what is finished is not done again."""
    name = str(cfg.study)
    recipes = recipes_of(name)
    if not recipes:
        known = ", ".join(recipes_of(""))
        raise ConfigError(f"experiment: {name} is no study; there are {known}, as in experiment=orl")
    overrides = {key: list(cfg[key]) for key in ("train", "assemble", "evaluate")}
    sequence = steps(name, recipes, Path(cfg.paths.outputs), launcher=cfg.launcher, **overrides)
    for number, step in enumerate(sequence, 1):
        state = "was finished before, and is only checked" if step.result.exists() else "to do"
        log.info("%d of %d, %s: python %s", number, len(sequence), state, shlex.join(step.command))
    if cfg.dry_run:
        return
    # where processes can fork, they share one import of torch and Lightning, which takes seconds
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver") if forks else multiprocessing.get_context("spawn")
    context.set_forkserver_preload(_PRELOADED)
    for number, step in enumerate(sequence, 1):
        log.info("%d of %d: python %s", number, len(sequence), shlex.join(step.command))
        process = context.Process(target=_do, args=(step.job, step.arguments))
        process.start()
        try:
            process.join()
        except KeyboardInterrupt:
            process.join()  # which was interrupted, too, and says how to go on
            raise
        if process.exitcode:
            raise FacerecError(
                f"{step.job} ended with status {process.exitcode}; the same command goes on from there"
            )


def _do(job: str, arguments: Sequence[str]) -> None:
    """`python -m facerec.JOB ARGUMENTS`, in this process."""
    sys.argv = [job, *arguments]
    runpy.run_module(f"facerec.{job}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # `experiment` is a group of recipes everywhere else
    sys.argv[1:] = [argument.replace("experiment=", "study=", 1) for argument in sys.argv[1:]]
    run_job("study", study)
