"""The other processes of `trainer=ddp`: which command starts them, and how a run leaves none behind."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write

_SET_BY_LIGHTNING = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@contextmanager
def as_one_run(cfg: DictConfig, run: Path) -> Iterator[None]:
    """Let a job of a sweep look like a run of its own: Lightning starts the others with this command line again."""
    hydra: Any = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        yield
        return
    given, folder = sys.argv, hydra.run.dir
    resumed = [] if cfg.ckpt_path is None else [f"ckpt_path='{cfg.ckpt_path}'"]
    try:
        sys.argv = [given[0], *hydra.overrides.task, *resumed]
        with read_write(hydra), open_dict(hydra):
            hydra.run.dir = str(run)
        yield
    finally:
        sys.argv = given
        with read_write(hydra), open_dict(hydra):
            hydra.run.dir = folder


@contextmanager
def processes_ended() -> Iterator[None]:
    """Leave the group of processes at the end, so that the next job of a sweep can start its own."""
    before = {name: os.environ.get(name) for name in _SET_BY_LIGHTNING}
    try:
        yield
    finally:
        torch = sys.modules.get("torch")
        if torch and torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
