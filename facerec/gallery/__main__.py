"""Look after a gallery: `python -m facerec.gallery list|show|rename|merge|erase|export|import|rebuild|stats`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from facerec.errors import ConfigError
from facerec.job import run_job

if TYPE_CHECKING:
    from facerec.gallery.gallery import Gallery


def administrate(cfg: DictConfig) -> None:
    """Do the one thing asked for, and print what came of it."""
    from facerec.gallery.gallery import Gallery

    if cfg.action not in _ACTIONS:
        raise ConfigError(f"action: must be one of {', '.join(_ACTIONS)}, not {cfg.action}")
    needs, act = _ACTIONS[cfg.action]
    if missing := [key for key in needs if not cfg[key]]:
        raise ConfigError(f"{', '.join(missing)}: is needed, as in `{cfg.action} {missing[0]}=…`")
    if cfg.action == "import" and not Path(cfg.file).is_file():  # before a gallery is made for it
        raise ConfigError(f"file: there is no file {cfg.file}")
    # whoever rebuilds a gallery names the model it is to have, not the one it has
    model = None if cfg.action == "rebuild" else cfg.model
    with Gallery.open(cfg.gallery.url, model, make=cfg.action == "import") as gallery:
        act(gallery, cfg)


def _list(gallery: "Gallery", cfg: DictConfig) -> None:
    from facerec.gallery.tables import show_persons

    show_persons(gallery)


def _show(gallery: "Gallery", cfg: DictConfig) -> None:
    from facerec.gallery.tables import show_person

    show_person(gallery, cfg.name)


def _stats(gallery: "Gallery", cfg: DictConfig) -> None:
    from facerec.gallery.tables import show_stats

    show_stats(gallery, cfg.last)


def _rename(gallery: "Gallery", cfg: DictConfig) -> None:
    gallery.rename(cfg.name, cfg.to or cfg.name, note=cfg.note)
    _show(gallery, DictConfig({"name": cfg.to or cfg.name}))


def _merge(gallery: "Gallery", cfg: DictConfig) -> None:
    person = gallery.merge(cfg.name, cfg.to)
    print(f"{cfg.name} is {person.name} now, who has {person.samples} samples")


def _erase(gallery: "Gallery", cfg: DictConfig) -> None:
    erased = gallery.erase(cfg.name)
    print(f"{cfg.name} is erased, with {erased.samples} samples; tables and indexes were written anew")
    print("the log of changes was deleted" if erased.log_deleted else _REUSED)


def _export(gallery: "Gallery", cfg: DictConfig) -> None:
    print(f"{gallery.export(cfg.file)} samples are in {cfg.file}; who has it can recognise these persons")


def _import(gallery: "Gallery", cfg: DictConfig) -> None:
    print(f"{gallery.load(Path(cfg.file))} new samples")


def _rebuild(gallery: "Gallery", cfg: DictConfig) -> None:
    import torch

    from facerec.crops import read_photo
    from facerec.models import open_model

    model = open_model(cfg.model, "auto", cfg.cache_dir)
    count = gallery.rebuild(
        model.record, lambda crops: model.embed(torch.stack([read_photo(crop) for crop in crops])).numpy()
    )
    print(f"{count} samples were embedded anew; the gallery is of model {gallery.model.fingerprint} now")


_REUSED = "the server keeps used logs of changes to write over: set wal_recycle = off there, or wait until it has"
_ACTIONS: dict[str, tuple[list[str], Callable[["Gallery", DictConfig], None]]] = {
    "list": ([], _list),
    "show": (["name"], _show),
    "rename": (["name"], _rename),
    "merge": (["name", "to"], _merge),
    "erase": (["name"], _erase),
    "export": (["file"], _export),
    "import": (["file"], _import),
    "rebuild": (["model"], _rebuild),
    "stats": ([], _stats),
}

if __name__ == "__main__":
    # `list` is short for `action=list`
    sys.argv[1:] = [f"action={word}" if word in _ACTIONS else word for word in sys.argv[1:]]
    run_job("gallery", administrate)
