"""Jobs, each in a process of its own. Where processes can fork, they share one import of what takes seconds."""

import atexit
import multiprocessing
import runpy
import sys
from collections.abc import Sequence

_PRELOADED = ["pytorch_lightning", "torch", "wandb", "facerec.training.learner", "facerec.training.run"]


def run_in_process(job: str, arguments: Sequence[str]) -> int:
    """`python -m facerec.JOB ARGUMENTS`; returns its exit status, negative if a signal ended it.

    On an interrupt, which goes to the job, too, it waits until the job has said how to go on.
    """
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver") if forks else multiprocessing.get_context("spawn")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=_run, args=(job, arguments))
    process.start()
    try:
        process.join()
    except KeyboardInterrupt:
        process.join()
        raise
    return process.exitcode or 0


def _run(job: str, arguments: Sequence[str]) -> None:
    sys.argv = [job, *arguments]
    try:
        runpy.run_module(f"facerec.{job}", run_name="__main__", alter_sys=True)
    finally:
        # as a program of its own does; else joblib's idle workers would keep the process for five minutes
        atexit._run_exitfuncs()
