"""What the jobs after training know about the runs before them: which models, which data set, which identities."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from facerec.data import FaceImages
from facerec.errors import ConfigError, ModelError
from facerec.models.store import read_statistics
from facerec.study.sweep import best_run

DEPTHS = ("resnet18", "resnet34", "resnet50")


def find_members(study: str, members: list[str] | None) -> dict[str, Path]:
    """Name → model folder: the given ones, or else the best job of each depth of the study.

    Raises:
        ConfigError: a depth of the study has no finished sweep, or no member is given.
    """
    if members is None:
        return {depth: best_run(Path("outputs") / study / depth) / "model" for depth in DEPTHS}
    if not members:
        raise ConfigError("members: give one model folder or more, or null for the best of the study's depths")
    folders = [Path(member) for member in members]
    folders = [folder / "model" if (folder / "model").is_dir() else folder for folder in folders]
    names = [folder.parent.name if folder.name == "model" else folder.name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise ConfigError(f"members: a folder is given twice: {', '.join(names)}")
    return dict(zip(names, folders, strict=True))


def open_images(dataset: DictConfig | None, model: Path) -> FaceImages:
    """The data set of the configuration, or else the one the model was made with.

    Raises:
        ConfigError: neither is there.
    """
    config = model.parent / "config.yaml"
    if dataset is None and config.exists():
        found = OmegaConf.select(OmegaConf.load(config), "dataset")
        # a file beside a model must not run code of its choice
        if found and str(found["_target_"]).rpartition(".")[0] == "facerec.data":
            dataset = found
    if dataset is None:
        raise ConfigError(f"dataset: {config} names none, so give it: dataset=celeba dataset.root=…")
    return cast(FaceImages, instantiate(dataset, _convert_="all", _recursive_=False))


def trained_on(name: str, folder: Path) -> Mapping[str, Any]:
    """Data set and digests of the identities that a model was trained on.

    Raises:
        ModelError: the model does not say.
    """
    found = read_statistics(folder).get("trained_on")
    if not isinstance(found, dict) or not {"dataset", "identities"} <= found.keys():
        raise ModelError(f"member {name}: {folder}/statistics.json does not say which identities it was trained on")
    return found


def check_same_identities(members: Mapping[str, Path], images: FaceImages) -> Mapping[str, Any]:
    """What all members were trained on, which is what the data set calls training identities.

    Raises:
        ModelError: names a member that was trained on others.
    """
    ours = images.identity_digests("train", "seen")
    for name, folder in members.items():
        theirs = trained_on(name, folder)
        if theirs["identities"] != ours:
            shared = len(set(ours) & set(theirs["identities"]))
            raise ModelError(
                f"member {name}: was trained on other identities ({len(theirs['identities'])} of data set "
                f"{theirs['dataset']}) than data set {images.name} has for training ({len(ours)}, {shared} of them "
                "the same); train all members on the same data set and split"
            )
    return {"dataset": images.name, "identities": ours}
