"""The other processes of `trainer=ddp`: the command that starts them, and the end of their process group."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch.distributed as dist

_SET_BY_LIGHTNING = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@contextmanager
def relaunch_command(arguments: Sequence[str]) -> Iterator[None]:
    """Let Lightning start the other processes with these arguments, not with those of this process."""
    command = sys.argv
    sys.argv = [command[0], *arguments]
    try:
        yield
    finally:
        sys.argv = command


@contextmanager
def process_group_closed() -> Iterator[None]:
    """Close Lightning's process group at the end, so that the next job of a sweep can open another."""
    environment = {name: os.environ.get(name) for name in _SET_BY_LIGHTNING}
    try:
        yield
    finally:
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
