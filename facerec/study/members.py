"""What the jobs after training know about the runs before them: which models, which data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facerec.data import FaceImages
from facerec.errors import ConfigError
from facerec.models import Model
from facerec.models.catalogue import is_name
from facerec.runtime.entry_points import registered
from facerec.study.best import BEST, best_run
from facerec.study.layout import ENSEMBLE, model_dir


def find_members(study: Path, members: list[str] | None, names: Sequence[str]) -> dict[str, str | Path]:
    """Name → what `open_model` opens: the given ones, or else the best job of each sweep of the study.

    Args:
        study: its folder.
        members: model folders, runs, contracts of ONNX files, or names of ready-made models; None: those of the
            study.
        names: the study's members; without any, whatever was swept in its folder.

    Raises:
        ConfigError: a sweep of the study is not finished, no member is given, or one that is not there or is given
            twice.
    """
    if members is None:
        sweeps = [study / name for name in names] or sorted(
            {file.parent for name in (BEST, "multirun.yaml") for file in study.glob(f"*/{name}")}
        )
        if not sweeps:
            command = f"python -m facerec.study experiment={study.name}"
            raise ConfigError(f"study: {study} has no finished sweep; run {command}")
        return {sweep.name: best_run(sweep) / "model" for sweep in sweeps}
    if not members:
        raise ConfigError("members: give one model folder or more, or null for the best of the study's sweeps")
    return named_models(members, "members")


def named_models(given: Sequence[str], key: str) -> dict[str, str | Path]:
    """Name → what `open_model` opens.

    Args:
        given: model folders, runs, contracts of ONNX files, names of ready-made models, or folders of studies,
            which stand for their ensemble.
        key: of the configuration, for messages.

    Raises:
        ConfigError: one is not there, or given twice.
    """
    models: list[str | Path] = []
    for entry in given:
        path = Path(entry).expanduser()
        ensemble = path / ENSEMBLE / "model"
        models.append(entry if is_name(entry) else ensemble if ensemble.is_dir() else model_dir(path))
    if missing := [model for model in models if isinstance(model, Path) and not model.exists()]:
        raise ConfigError(f"{key}: there is nothing at {missing[0]}")
    names = [_name(model) for model in models]
    if len(set(names)) < len(names):
        names = [str(model) for model in models]
    if len(set(names)) < len(names):
        raise ConfigError(f"{key}: a model is given twice: {', '.join(names)}")
    return dict(zip(names, models, strict=True))


def _name(model: str | Path) -> str:
    if isinstance(model, str):
        return model
    if model.is_file():  # the contract of an ONNX file
        return model.stem
    folder = model.parent if model.name == "model" else model
    study = folder.parent.name if folder.name == ENSEMBLE else ""
    return study or folder.name


def check_named(images: FaceImages) -> None:
    """Refuse a data set of images without names.

    Raises:
        ConfigError: nothing can be measured on it.
    """
    if not images.known:
        raise ConfigError(
            f"dataset: the images of {images.name} have no names, so nobody can be recognised in them; give a data "
            "set of people: dataset=celeba dataset.root=…"
        )


def dataset_of(dataset: DictConfig | None, *models: Model) -> DictConfig:
    """The data set's node of the configuration, or else that of the first model that says what it was made on.

    Raises:
        ConfigError: neither is there.
    """
    if dataset is not None:
        return dataset
    node = next(filter(None, map(_made_on, models)), None)
    if not node or not _is_dataset(str(node["_target_"])):
        paths = " and ".join(str(model.path) for model in models)
        raise ConfigError(f"dataset: {paths} names none, so give it: dataset=celeba dataset.root=…")
    return OmegaConf.create(dict(node))


def trained_on(model: Model) -> DictConfig | None:
    """The node of the data set that a model was trained on, if it says one that may be made."""
    node = _made_on(model)
    return OmegaConf.create(dict(node)) if node and _is_dataset(str(node["_target_"])) else None


def _is_dataset(function: str) -> bool:
    """Whether a function is one of ours or registered as `MODULE:NAME` in the group `facerec.datasets`.

    A file of a model must not run code of its choice.
    """
    if function.rpartition(".")[0] == "facerec.data":
        return True
    return function in {point.value.replace(":", ".") for point in registered("datasets")}


def _made_on(model: Model) -> Any:
    """The data set's node, if the model or the configuration of its run says it."""
    if made := model.trained_on:
        return {"_target_": made["function"], **made["arguments"]}
    runs = member_runs(model)  # before models said it themselves
    config = next(iter(runs.values())) / "config.yaml" if runs else None
    return OmegaConf.select(OmegaConf.load(config), "dataset") if config and config.exists() else None


def member_runs(model: Model) -> dict[str, Path]:
    """Name → training run of each member that has one, where the contract says it; the folder may be gone."""
    members: Mapping[str, str] = model.origin.get("members") or {"model": str(model.path)}
    return {name: Path(member).parent for name, member in members.items() if not is_name(member)}
