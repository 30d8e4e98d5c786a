"""A run that goes on: what it must have in common with the run of its checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facerec.errors import ConfigError, ModelError

# what of a schedule's state is the same all through the training, and the keys that decide it
_SCHEDULE = {
    "T_max": "steps of the training (trainer.max_epochs, trainer.max_steps)",
    "T_0": "steps of the first cycle (scheduler.t_0)",
    "T_mult": "scheduler.t_mult",
    "eta_min": "scheduler.eta_min",
    "base_lrs": "optimizer.lr",
    "warmup": "steps of the warm-up (scheduler.warmup)",
}


def check_same_run(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Refuse the checkpoint of another run.

    Args:
        saved: what was trained and how, as the checkpoint says.
        current: the same of this run.

    Raises:
        ModelError: names what differs.
    """
    if differing := [key for key in current if saved.get(key) != current[key]]:
        lines = [f"{key}: {saved.get(key)} in the checkpoint, {current[key]} here" for key in differing]
        raise ModelError(f"resume: the checkpoint is of another run:{_indented(lines)}")


def check_same_averaging(checkpoint: Path, *, averages: bool) -> None:
    """Refuse to go on with the average of the weights in their place, or to begin an average in the middle.

    Args:
        checkpoint: the file.
        averages: whether this run averages its weights.

    Raises:
        ConfigError: the checkpoint's run did otherwise.
    """
    content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    if ("current_model_state" in content) != averages:
        before, cure = ("without", "leave it out") if averages else ("with", "callbacks=[default,ema]")
        raise ConfigError(f"resume: the checkpoint's training went {before} callbacks.ema; {cure}")


def check_same_schedule(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Refuse to go on with another schedule of the learning rate.

    Args:
        saved: state of the checkpoint's scheduler; empty where there is no checkpoint.
        current: that of this run's.

    Raises:
        ConfigError: names the keys that differ.
    """
    saved, current = proper_schedule(saved), proper_schedule(current)
    if differing := [key for key in _SCHEDULE if saved and saved.get(key) != current.get(key)]:
        lines = [f"{_SCHEDULE[key]}: {saved.get(key)} there, {current.get(key)} here" for key in differing]
        raise ConfigError(
            "resume: the learning rate of the checkpoint's training follows another schedule, so take its "
            f"values, or start a new training (init_from=MODEL):{_indented(lines)}"
        )


def proper_schedule(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of the schedule proper, and how many steps of `warmup` come before it."""
    if "_milestones" not in state:
        return {**state, "warmup": 0} if state else {}
    [warmup], proper = state["_milestones"], state["_schedulers"][-1]
    length = {"T_max": warmup + proper["T_max"]} if "T_max" in proper else {}
    return {**proper, **length, "warmup": warmup}


def _indented(lines: list[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)
