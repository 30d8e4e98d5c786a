"""Where torch computes, where it is installed."""

from typing import TYPE_CHECKING

from facerec.errors import ConfigError

if TYPE_CHECKING:
    import torch


def find_device(name: str, key: str = "device") -> "torch.device":
    """The device of this name, as torch names it; "auto" is a GPU if there is one, else the CPU.

    Raises:
        ConfigError: this machine has no such device; names the key of the configuration.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except Exception as error:  # torch raises what its backend does: RuntimeError, AssertionError, …
        raise ConfigError(f"{key}: {name!r} is not a device of this machine; try auto") from error


def find_gpu(name: str) -> str | None:
    """The device of this name, or for "auto" any GPU, if torch can use it and it is not the CPU; else None."""
    if name == "cpu":
        return None
    try:
        device = find_device(name)
    except (ModuleNotFoundError, ConfigError):  # torch is not installed, or has no such device
        return None
    return None if device.type == "cpu" else str(device)
