"""Where the configuration lies, and which keys a job has."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from facerec.errors import ConfigError

# beside the package in a checkout, inside it in an installed wheel
PACKAGE = Path(__file__).parents[1]
CONFIG_DIR = next(folder for folder in (PACKAGE / "conf", PACKAGE.parent / "conf") if folder.is_dir())

_OPTIONAL = {"callbacks", "logger"}  # groups that `GROUP=null` switches off


def check_keys(cfg: DictConfig, primary: Path) -> None:
    """Refuse keys that nobody reads, which Hydra accepts with a plus, and needed groups that are switched off."""
    known = declared(primary)
    if unknown := sorted({str(key) for key in cfg} - known.keys()):
        raise ConfigError(f"{', '.join(unknown)}: no such key; there are {', '.join(sorted(known))}")
    for group in (key for key, default in known.items() if default is not None and key not in cfg):
        if group not in _OPTIONAL:
            raise ConfigError(f"{group}: is needed; give one of {', '.join(choices(group))}")
        with open_dict(cfg):
            cfg[group] = None


def choices(group: str) -> list[str]:
    """What `GROUP=…` may be; not the files that these share, which begin with an underscore."""
    folder = CONFIG_DIR / group
    return sorted(file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("[!_]*.yaml"))


def groups_help(*, _root_: DictConfig) -> str:
    """The groups of a job, each with its choices, for `--help`; registered as the resolver `${groups_help:}`."""
    groups = declared(CONFIG_DIR / f"{_root_.hydra.job.config_name}.yaml")
    return "\n".join(f"{group}: {', '.join(choices(group))}" for group in sorted(groups) if choices(group))


def first_given(*values: Any) -> Any:
    """The first of the values that is not null; registered as the resolver `${first:A,B}`."""
    return next((value for value in values if value is not None), None)


def declared(file: Path) -> dict[str, Any]:
    """The groups and keys of a job's configuration, and of those it builds on, with their defaults."""
    content = OmegaConf.load(file)
    assert isinstance(content, DictConfig)
    known: dict[str, Any] = {str(key): None for key in content if key not in ("defaults", "hydra")}
    for entry in content.get("defaults", []):
        if isinstance(entry, DictConfig):
            [(group, choice)] = entry.items()
            if not str(group).startswith("override "):
                known[str(group).removeprefix("/")] = choice
        elif entry != "_self_":
            known |= declared(file.parent / f"{entry}.yaml")
    return known
