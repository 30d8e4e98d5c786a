"""Look at the ready-made models and fetch their weights: `python -m facerec.models list|show|verify|get`."""

import sys
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from facerec.errors import ConfigError, ModelError
from facerec.job import run_job


def look_after(cfg: DictConfig) -> None:
    """Run one action, and print its result."""
    if cfg.action not in _ACTIONS:
        raise ConfigError(f"action: must be one of {', '.join(_ACTIONS)}, not {cfg.action}")
    if cfg.action != "list" and not cfg.name:
        raise ConfigError(f"name: must be given, as in `facerec models {cfg.action} sface`")
    _ACTIONS[cfg.action](cfg)


def _list(cfg: DictConfig) -> None:
    from facerec.models.catalogue.tables import show_entries

    show_entries()


def _show(cfg: DictConfig) -> None:
    from facerec.models.catalogue import is_name
    from facerec.models.catalogue.tables import show_entry
    from facerec.models.folder import read_card

    if is_name(cfg.name):
        show_entry(cfg.name)
    else:
        print(read_card(cfg.name))


def _verify(cfg: DictConfig) -> None:
    from facerec.models.catalogue import find_entry, weights_file
    from facerec.models.catalogue.cache import converted_file, sha256_of

    entry = find_entry(cfg.name)
    file, converted = weights_file(entry), converted_file(entry)
    if entry.pickled and converted.is_file() and not file.is_file():
        print(f"{converted} was made of the weights, which are not here; there is no published hash of it")
        return
    if not file.is_file():
        raise ModelError(
            f"{entry.name}: its weights are not at {file}; `facerec models get {entry.name}` fetches them"
        )
    if (digest := sha256_of(file)) != entry.sha256:
        wrong = f"its SHA-256 is {digest}, and should be {entry.sha256}"
        raise ModelError(
            f"{file}: is damaged or another file: {wrong}; `facerec models get {entry.name}` fetches it again"
        )
    print(f"{file} is whole; its SHA-256 is {entry.sha256}")


def _get(cfg: DictConfig) -> None:
    from facerec.models.catalogue import find_entry, take
    from facerec.models.catalogue.conversion import network_file

    entry = find_entry(cfg.name)
    if cfg.file:
        take(entry, Path(cfg.file).expanduser(), accept_licence=cfg.accept_licence)
    file = network_file(entry, offline=cfg.offline, accept_licence=cfg.accept_licence)
    print(f"{entry.name} is ready: {entry.licence} weights at {file}; use it as model={entry.name}")


_ACTIONS: dict[str, Callable[[DictConfig], None]] = {"list": _list, "show": _show, "verify": _verify, "get": _get}


def _spelled_out(words: list[str]) -> list[str]:
    """`get sface` is short for `action=get name=sface`."""
    if words and words[0] in _ACTIONS:
        words = [f"action={words[0]}", *words[1:]]
        if len(words) > 1 and "=" not in words[1] and not words[1].startswith("-"):
            words[1] = f"name={words[1]}"
    return words


if __name__ == "__main__":
    sys.argv[1:] = _spelled_out(sys.argv[1:])
    run_job("models", look_after)
