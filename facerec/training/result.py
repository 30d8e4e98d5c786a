"""What a training leaves: the model folder and the metrics of the run."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facerec.data import FaceData, FaceImages, describe_dataset
from facerec.models import store
from facerec.models.folder_model import FolderModel
from facerec.models.sources import describe_source
from facerec.models.training_people import TrainingPeople, joined, training_people
from facerec.runtime.files import replace_json
from facerec.training.learner import Learner


def origin_of(cfg: DictConfig, run: Path, learner: Learner, data: FaceData) -> dict[str, Any]:
    """Where the model of a run comes from: plain values for its contract."""
    loss = type(learner.head).__name__ if learner.head else None
    teacher = {"teacher": learner.teacher.record} if learner.teacher else {}
    start = {"init_from": describe_source(_start(cfg))} if cfg.init_from is not None else {}
    return {"dataset": data.images.name, "loss": loss, **teacher, **start, "seed": cfg.seed, "run": str(run)}


def write_result(
    cfg: DictConfig, run: Path, learner: Learner, data: FaceData, metrics: Mapping[str, float]
) -> None:
    """Write what the run was for, its model and its metrics; it counts as finished only when both are there."""
    statistics: dict[str, Any] = {"channels": asdict(data.statistics), "metrics": metrics}
    if people := _people(cfg, data.images).to_json():
        statistics["trained_on"] = people
    origin = origin_of(cfg, run, learner, data)
    made_of = describe_dataset(OmegaConf.to_container(cfg.dataset, resolve=True), data.images)  # type: ignore[arg-type]
    axes = learner.teacher.axes if learner.teacher else None
    store.save(
        run / "model",
        learner.embedder,
        statistics=statistics,
        origin=origin,
        trained_on=made_of,
        teacher_axes=axes,
    )
    replace_json(run / "metrics.json", dict(metrics))


def _people(cfg: DictConfig, images: FaceImages) -> TrainingPeople:
    """Whom the model was trained on, in this run and in the one it started from."""
    known = {images.name: frozenset(images.identity_digests("train", "seen"))} if images.known else {}
    unknown: tuple[str, ...] = () if images.known else (images.name,)
    if cfg.init_from is not None:
        before = training_people(_start(cfg).statistics)
        known = joined(known, before.known)
        unknown += before.unknown if before.known else (str(cfg.init_from),)
    return TrainingPeople(known, unknown)


def _start(cfg: DictConfig) -> FolderModel:
    return FolderModel(Path(cfg.init_from), "cpu", None)
