"""Where the configuration lies, and which keys a job has."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from facerec.errors import ConfigError

# beside the package in a checkout, inside it in an installed wheel
_PACKAGE = Path(__file__).parents[1]
CONFIG_DIR = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())

_OPTIONAL = {"callbacks", "logger"}  # groups that `GROUP=null` switches off


def check_keys(cfg: DictConfig, primary: Path) -> None:
    """Refuse keys that nobody reads, which Hydra accepts with a plus, and needed groups that are switched off."""
    known = _declared(primary)
    if unknown := sorted({str(key) for key in cfg} - known.keys()):
        raise ConfigError(f"{', '.join(unknown)}: no such key; there are {', '.join(sorted(known))}")
    for group in (key for key, default in known.items() if default is not None and key not in cfg):
        if group not in _OPTIONAL:
            choices = sorted(file.stem for file in (CONFIG_DIR / group).glob("[!_]*.yaml"))
            raise ConfigError(f"{group}: is needed; give one of {', '.join(choices)}")
        with open_dict(cfg):
            cfg[group] = None


def _declared(primary: Path) -> dict[str, Any]:
    """The groups and keys of a job's configuration, and of those it builds on, with their defaults."""
    content = OmegaConf.load(primary)
    assert isinstance(content, DictConfig)
    known: dict[str, Any] = {str(key): None for key in content if key not in ("defaults", "hydra")}
    for entry in content.defaults:
        if isinstance(entry, DictConfig):
            known |= {str(key): choice for key, choice in entry.items() if " " not in str(key)}
        elif entry != "_self_":
            known |= _declared(primary.with_name(f"{entry}.yaml"))
    return known
