"""Manage a gallery: `python -m facerec.gallery list|show|rename|merge|erase|export|import|backup|…`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from facerec.errors import ConfigError
from facerec.job import run_job

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facerec.gallery.gallery import Gallery
    from facerec.models.statistics import Statistics


def administrate(cfg: DictConfig) -> None:
    """Run one action, and print its result."""
    from facerec.gallery.gallery import Gallery

    if cfg.action not in _ACTIONS:
        raise ConfigError(f"action: must be one of {', '.join(_ACTIONS)}, not {cfg.action}")
    needs, act = _ACTIONS[cfg.action]
    if missing := [key for key in needs if not cfg[key]]:
        raise ConfigError(f"{', '.join(missing)}: must be given, as in `{cfg.action} {missing[0]}=…`")
    if cfg.action == "import" and not Path(cfg.file).is_file():  # before a new gallery is made
        raise ConfigError(f"file: there is no file {cfg.file}")
    if cfg.action == "restore":  # which makes the gallery
        _restore(cfg)
        return
    # the model of a rebuild is the new one, which the gallery is not of yet
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
    print(f"{cfg.name} was merged into {person.name}, who now has {person.samples} samples")


def _erase(gallery: "Gallery", cfg: DictConfig) -> None:
    erasure = gallery.erase(cfg.name)
    print(f"{cfg.name} was erased, with {erasure.samples} samples; tables and indexes were rewritten")
    print("the old write-ahead log was deleted" if erasure.log_deleted else _LOG_KEPT)


def _export(gallery: "Gallery", cfg: DictConfig) -> None:
    count = gallery.export(cfg.file)
    print(f"{count} samples were exported to {cfg.file}; {_SECRET}")


def _import(gallery: "Gallery", cfg: DictConfig) -> None:
    print(f"{gallery.load(Path(cfg.file))} new samples were imported")


def _backup(gallery: "Gallery", cfg: DictConfig) -> None:
    gallery.backup(cfg.file)
    size, megabytes = gallery.size(), Path(cfg.file).stat().st_size / 1e6
    held = f"{size.persons} persons and {size.samples} samples"
    print(f"{held} were backed up to {cfg.file} ({megabytes:.1f} MB); {_SECRET}")


def _restore(cfg: DictConfig) -> None:
    from facerec.gallery.backup import restore
    from facerec.gallery.gallery import Gallery

    restore(cfg.gallery.url, Path(cfg.file))
    with Gallery.open(cfg.gallery.url, make=False) as gallery:
        size = gallery.size()
        print(f"{size.persons} persons and {size.samples} samples were restored in {gallery.place}")
        print(f"model {gallery.model.fingerprint}")


def _check(gallery: "Gallery", cfg: DictConfig) -> None:
    from facerec.gallery.findings import describe
    from facerec.gallery.tables import show_checkup

    if cfg.threshold is None and not gallery.has_thresholds:
        gallery.model = gallery.model._replace(statistics=_statistics(gallery, cfg))
    contents, checkup = gallery.check_up(far=cfg.far, threshold=cfg.threshold, min_size=cfg.min_size)
    findings = describe(checkup, contents)
    show_checkup(gallery, contents, checkup, findings)
    if cfg.out:
        from facerec.report.checkup import write_checkup

        file = Path(cfg.out) / "check.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_checkup(file, gallery, contents, checkup, findings)
        print(f"{file}: the same with faces")


def _statistics(gallery: "Gallery", cfg: DictConfig) -> "Statistics":
    """Of the gallery's model, if that is a ready-made one."""
    from facerec.models import open_model
    from facerec.models.catalogue import name_of

    name = name_of(gallery.model.fingerprint)
    if name is None:
        raise ConfigError("model: give the gallery's model, evaluated, whose thresholds are needed; or threshold=")
    return open_model(name, "cpu", offline=cfg.offline, accept_licence=cfg.accept_licence).statistics


def _rebuild(gallery: "Gallery", cfg: DictConfig) -> None:
    import numpy as np
    from tqdm import tqdm

    from facerec.crops import read_photo
    from facerec.models import open_model

    model = open_model(cfg.model, "auto", cfg.cache_dir, offline=cfg.offline, accept_licence=cfg.accept_licence)

    with tqdm(total=gallery.size().samples, desc="embed", unit="sample") as progress:

        def embed(crops: list[bytes]) -> "NDArray[np.float32]":
            progress.update(len(crops))
            return model.embed(np.stack([read_photo(crop) for crop in crops]).transpose(0, 3, 1, 2))

        count = gallery.rebuild(model.record, embed)
    print(f"{count} samples were embedded again; the gallery is now of model {gallery.model.fingerprint}")


_LOG_KEPT = "the server keeps old write-ahead logs until it overwrites them, unless it has wal_recycle = off"
_SECRET = "whoever has the file can recognise these persons"
_ACTIONS: dict[str, tuple[list[str], Callable[["Gallery", DictConfig], None]]] = {
    "list": ([], _list),
    "show": (["name"], _show),
    "rename": (["name"], _rename),
    "merge": (["name", "to"], _merge),
    "erase": (["name"], _erase),
    "export": (["file"], _export),
    "import": (["file"], _import),
    "backup": (["file"], _backup),
    "restore": (["file"], lambda gallery, cfg: None),  # see `administrate`
    "rebuild": (["model"], _rebuild),
    "check": ([], _check),
    "stats": ([], _stats),
}

if __name__ == "__main__":
    # `list` is short for `action=list`
    sys.argv[1:] = [f"action={word}" if word in _ACTIONS else word for word in sys.argv[1:]]
    run_job("gallery", administrate)
