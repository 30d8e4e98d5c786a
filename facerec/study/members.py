"""What the jobs after training know about the runs before them: which models, which data set, which identities."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facerec.data import FaceImages
from facerec.errors import ConfigError, ModelError
from facerec.models import Model
from facerec.models.catalogue import is_name
from facerec.study.best import BEST, best_run
from facerec.study.layout import model_dir


def find_members(study: Path, members: list[str] | None, names: Sequence[str]) -> dict[str, Path]:
    """Name → model folder: the given ones, or else the best job of each sweep of the study.

    Args:
        study: its folder.
        members: model folders or runs; None: those of the study.
        names: the study's members; without any, whatever was swept in its folder.

    Raises:
        ConfigError: a sweep of the study is not finished, no member is given, or one that is not there, is given
            twice, or is a ready-made model.
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
    if named := [member for member in members if is_name(member)]:
        raise ConfigError(
            f"members: {named[0]} is a ready-made model, and an ensemble combines embedders of ours (a folder of "
            f"that name is ./{named[0]})"
        )
    models = [model_dir(Path(member)) for member in members]
    if missing := [model for model in models if not model.exists()]:
        raise ConfigError(f"members: there is nothing at {missing[0]}")
    names = [_name(model) for model in models]
    if len(set(names)) < len(names):
        names = [str(model) for model in models]
    if len(set(names)) < len(names):
        raise ConfigError(f"members: a model is given twice: {', '.join(names)}")
    return dict(zip(names, models, strict=True))


def _name(model: Path) -> str:
    return model.parent.name if model.name == "model" else model.name


def dataset_of(dataset: DictConfig | None, model: Model) -> DictConfig:
    """The data set's node of the configuration, or else that of the data set the model was trained on.

    Raises:
        ConfigError: neither is there.
    """
    if dataset is not None:
        return dataset
    made = model.trained_on
    node = made and {"_target_": made["function"], **made["arguments"]}
    if not made and (config := first_run(model) / "config.yaml").exists():  # before models said it themselves
        node = OmegaConf.select(OmegaConf.load(config), "dataset")
    # a file of a model must not run code of its choice
    if not node or str(node["_target_"]).rpartition(".")[0] != "facerec.data":
        raise ConfigError(f"dataset: {model.path} names none, so give it: dataset=celeba dataset.root=…")
    return OmegaConf.create(dict(node))


def member_runs(model: Model) -> dict[str, Path]:
    """Name → training run of each member, where the contract says it; the folder may be gone."""
    members: Mapping[str, str] = model.origin.get("members") or {"model": str(model.path)}
    return {name: Path(member).parent for name, member in members.items()}


def first_run(model: Model) -> Path:
    """The training run of the first member."""
    return next(iter(member_runs(model).values()))


def trained_on(name: str, model: Model) -> Mapping[str, Any]:
    """Data set and digests of the identities that a model was trained on.

    Raises:
        ModelError: the model does not say.
    """
    training_set = model.statistics.trained_on
    if not isinstance(training_set, dict) or not {"dataset", "identities"} <= training_set.keys():
        raise ModelError(
            f"member {name}: {model.path}/statistics.json does not say which identities it was trained on"
        )
    return training_set


def check_same_identities(members: Mapping[str, Model], images: FaceImages) -> Mapping[str, Any]:
    """What all members were trained on, which is what the data set calls training identities.

    Raises:
        ModelError: names a member that was trained on others.
    """
    ours = images.identity_digests("train", "seen")
    for name, model in members.items():
        theirs = trained_on(name, model)
        if theirs["identities"] != ours:
            shared = len(set(ours) & set(theirs["identities"]))
            raise ModelError(
                f"member {name}: was trained on other identities ({len(theirs['identities'])} of data set "
                f"{theirs['dataset']}) than data set {images.name} has for training ({len(ours)}, {shared} of them "
                "the same); train all members on the same data set and split"
            )
    return {"dataset": images.name, "identities": ours}
