"""Let a job of a sweep be started again by Lightning, once for each of its other processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write


@contextmanager
def relaunched_as_run(cfg: DictConfig, run: Path) -> Iterator[None]:
    """Let a job of a sweep look like a run of its own to Lightning, which starts this job's other processes.

    It gives them the command line of this process and the run folder that Hydra knows: those of the whole sweep.
    """
    from facerec.distributed.relaunch import relaunch_command  # imports torch

    hydra_config: Any = HydraConfig.get()
    if hydra_config.mode != RunMode.MULTIRUN:
        yield
        return
    sweep_run_dir = hydra_config.run.dir
    resume = [] if cfg.resume is None else [f"resume='{cfg.resume}'"]
    with read_write(hydra_config), open_dict(hydra_config):
        hydra_config.run.dir = str(run)
    try:
        with relaunch_command([*hydra_config.overrides.task, *resume]):
            yield
    finally:
        with read_write(hydra_config), open_dict(hydra_config):
            hydra_config.run.dir = sweep_run_dir
