"""What a training leaves: the model folder and the metrics of the run."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facerec.data import FaceData, describe_dataset
from facerec.models import store
from facerec.runtime.files import replace_json
from facerec.training.learner import Learner


def origin_of(cfg: DictConfig, run: Path, learner: Learner, data: FaceData) -> dict[str, Any]:
    """Where the model of a run comes from: plain values for its contract."""
    loss = type(learner.head).__name__ if learner.head else None
    teacher = {"teacher": learner.teacher.record} if learner.teacher else {}
    return {"dataset": data.images.name, "loss": loss, **teacher, "seed": cfg.seed, "run": str(run)}


def write_result(
    cfg: DictConfig, run: Path, learner: Learner, data: FaceData, metrics: Mapping[str, float]
) -> None:
    """Write what the run was for, its model and its metrics; it counts as finished only when both are there."""
    statistics: dict[str, Any] = {"channels": asdict(data.statistics), "metrics": metrics}
    if data.images.known:
        identities = data.images.identity_digests("train", "seen")
        statistics["trained_on"] = {"dataset": data.images.name, "identities": identities}
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
