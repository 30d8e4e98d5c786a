"""Manage a gallery: `python -m facerec.gallery list|show|rename|merge|…`; `--help` lists the actions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError, DataError
from facerec.job import run_job

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facerec.gallery.actions import Action
    from facerec.gallery.gallery import Gallery
    from facerec.gallery.records import Sample
    from facerec.models.statistics import Statistics


def administrate(cfg: DictConfig) -> None:
    """Run one action, and print its result."""
    from facerec.gallery.actions import ACTIONS
    from facerec.gallery.gallery import Gallery

    actions = {**ACTIONS, **_ACTIONS}
    if cfg.action not in actions:
        raise ConfigError(f"action: must be one of {', '.join(actions)}, not {cfg.action}")
    needs, act = actions[cfg.action]
    if missing := [key for key in needs if not cfg[key]]:
        raise ConfigError(f"{', '.join(missing)}: must be given, as in `{cfg.action} {missing[0]}=…`")
    if cfg.action == "import" and not Path(cfg.file).is_file():  # before a new gallery is made
        raise ConfigError(f"file: there is no file {cfg.file}")
    if cfg.action == "restore":  # which makes the gallery
        _restore(cfg)
        return
    # the model of a rebuild is the new one, which the gallery is not of yet; deny opens it only for a photo
    model = None if cfg.action in ("rebuild", "deny") else cfg.model
    make = cfg.action == "import"
    with Gallery.open(cfg.gallery.url, model, make=make, undo_days=cfg.gallery.undo_days) as gallery:
        act(gallery, cfg)


def _deny(gallery: "Gallery", cfg: DictConfig) -> None:
    from facerec.gallery.actions import called, how_to_undo

    if bool(cfg.sample) == bool(cfg.photo):
        raise ConfigError("sample, photo: give one of the two, as in `deny name=Ann photo=party.jpg face=2`")
    person, change = gallery.corrections.deny(cfg.name, cfg.sample or _face(gallery, cfg))
    print(f"remembered that this face is not {called(person)}; {how_to_undo(change)}")


def _face(gallery: "Gallery", cfg: DictConfig) -> "Sample":
    """Face number `face` of the photo."""
    from facerec.models import open_model
    from facerec.models.catalogue import name_of
    from facerec.recognition import embed_files, sample_of

    name = cfg.model or name_of(gallery.model.fingerprint)
    if name is None:
        raise ConfigError("model: give the gallery's, which embeds the face of the photo")
    model = open_model(name, "auto", cfg.cache_dir, offline=cfg.offline, accept_licence=cfg.accept_licence)
    if model.record.fingerprint != gallery.model.fingerprint:
        raise ConfigError(f"model: {name} is not the gallery's, whose fingerprint is {gallery.model.fingerprint}")
    [photo] = embed_files([Path(cfg.photo)], instantiate(cfg.detector), model.embed, **cfg.faces, batch_size=1)
    if photo.problem:
        raise DataError(f"photo: {cfg.photo}: {photo.problem}")
    if not 1 <= cfg.face <= len(photo.faces):
        raise ConfigError(f"face: {cfg.photo} has {len(photo.faces)} faces, so there is no face {cfg.face}")
    return sample_of(photo, cfg.face - 1, photo.file.name, keep=False)


def _backup(gallery: "Gallery", cfg: DictConfig) -> None:
    from facerec.gallery.actions import SECRET

    gallery.backup(cfg.file)
    size, megabytes = gallery.size(), Path(cfg.file).stat().st_size / 1e6
    held = f"{size.persons} persons and {size.samples} samples"
    print(f"{held} were backed up to {cfg.file} ({megabytes:.1f} MB); {SECRET}")


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


_ACTIONS: "dict[str, Action]" = {
    "deny": (["name"], _deny),
    "backup": (["file"], _backup),
    "restore": (["file"], lambda gallery, cfg: None),  # see `administrate`
    "rebuild": (["model"], _rebuild),
    "check": ([], _check),
}

if __name__ == "__main__":
    from facerec.gallery.actions import ACTIONS

    # `list` is short for `action=list`
    words = {*ACTIONS, *_ACTIONS}
    sys.argv[1:] = [f"action={word}" if word in words else word for word in sys.argv[1:]]
    run_job("gallery", administrate)
