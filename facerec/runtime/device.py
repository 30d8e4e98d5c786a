"""Where to compute."""

import torch

from facerec.errors import ConfigError


def find_device(name: str, key: str = "device") -> torch.device:
    """The device of this name, as torch names it; "auto" is a GPU if there is one, else the CPU.

    Raises:
        ConfigError: this machine has no such device; names the key of the configuration.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except Exception as error:  # torch raises what its backend does: RuntimeError, AssertionError, …
        raise ConfigError(f"{key}: {name!r} is not a device of this machine; try auto") from error
