"""Which training job of a sweep is this: what decides its result, its name, and whether it was done before."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf import DictConfig, OmegaConf

from facerec.study.freshness import own_names, read_inputs, read_started

if TYPE_CHECKING:
    from facerec.data import FaceImages

# what runs are called, where and how they are logged, and how fast they go
_INDECISIVE = {
    *("ckpt_path", "debug", "hparams_search", "hydra", "logger", "paths", "print_config", "resume", "study"),
    *("accept_licence", "offline"),
}
# keys that came later, and the values with which a job is what it was before
_LATER = [
    *[("scheduler", "warmup", 0), ("learner", "half_size_epochs", 0)],
    *[("dataset", "labels", True), ("dataset", "min_images", 1), ("dataset", "fixes", None)],
    *[("trainer", "accumulate_grad_batches", 1), ("data", "cache", True)],
]
_INDECISIVE_DATA = {"cache_dir", "decode_workers", "device_cache", "num_workers"}
_INDECISIVE_CALLBACKS = {"checkpoint", "last", "learning_rate", "pairs", "progress"}


def job_inputs(cfg: DictConfig, images: "FaceImages") -> dict[str, Any]:
    """What goes into a training job: its configuration, its data, and the model it starts from."""
    from facerec.data.fingerprint import data_fingerprint
    from facerec.models.folder import fingerprint
    from facerec.models.model import fingerprint_of

    return {
        "config": deciding_config(cfg),
        "data": data_fingerprint(images, Path(cfg.data.cache_dir)),
        "init_from": None if cfg.init_from is None else fingerprint(cfg.init_from),
        "teacher": fingerprint_of(cfg.teacher.model) if cfg.get("teacher") else None,
    }


def job_name(cfg: DictConfig, inputs: Mapping[str, Any] | None, images: "FaceImages | None") -> str:
    """Folder of a job in its sweep: that of the same job if there is one, else named by what decides it and a hash.

    Jobs share a folder only if they are the same job on the same data, wherever that lies.

    Args:
        cfg: of the job, with Hydra's.
        inputs: as `job_inputs` gives them; None where the data can't be opened: the job itself will say why.
        images: the data set, or None.
    """
    deciding = deciding_config(cfg)
    if inputs is not None and images is not None:
        if same := find_job(Path(cfg.hydra.sweep.dir), inputs, images):
            return same
        deciding = {**deciding, "dataset": inputs["data"], "init_from": inputs["init_from"]}
        if inputs["teacher"]:
            deciding["teacher"] = {**deciding["teacher"], "model": inputs["teacher"]}
    digest = hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:8]
    choices = cfg.hydra.runtime.choices
    learnt = [name for name in (choices.loss, choices.get("teacher")) if name not in (None, "none")]
    return f"{'-'.join(learnt)}-lr{cfg.optimizer.lr:g}-{digest}"


def find_job(sweep: Path, inputs: Mapping[str, Any], images: "FaceImages") -> str | None:
    """The folder of a sweep in which this job was finished, or else begun; None if there is none."""
    runs = sorted(file.parent for file in sweep.glob("*/config.yaml"))
    for matches in (is_finished, _is_begun):
        for run in runs:
            if matches(run, inputs, images):
                return run.name
    return None


def is_finished(run: Path, inputs: Mapping[str, Any], images: "FaceImages") -> bool:
    """Whether the job in `run` was finished with these `job_inputs`, by whatever version and wherever they lay."""
    job = read_inputs(run)
    return job is not None and (run / "model").is_dir() and _same_job(job, inputs, images)


def on_same_data(job: Mapping[str, Any], inputs: Mapping[str, Any], images: "FaceImages") -> bool:
    """Whether a job had the data of these inputs; before data counted by content, files of the same times did."""
    from facerec.data.fingerprint import dated_fingerprint

    if job["data"] == inputs["data"]:
        return True
    if images.packed:  # which came later
        return False
    same_folder = own_names(job["config"]["dataset"]) == own_names(inputs["config"]["dataset"])
    return same_folder and bool(job["data"] == dated_fingerprint(images))


def deciding_config(cfg: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """What of a run's configuration decides its metrics, resolved, in one form whatever version wrote it.

    Classes count by their own names: where they lie in the package may change.
    """
    plain: dict[str, Any] = {
        str(key): _plain(value) for key, value in cfg.items() if key not in _INDECISIVE and key != "callbacks"
    }
    plain = {key: dict(value) if isinstance(value, Mapping) else value for key, value in plain.items()}
    plain["data"] = {key: value for key, value in plain["data"].items() if key not in _INDECISIVE_DATA}
    head = plain.pop("head", None) or {}  # where the key lay before
    plain["loss"] = {"shard_classes": bool(head.get("shard")), **plain["loss"]}
    if plain.get("teacher") is None:
        plain.pop("teacher", None)
    for group, key, before in _LATER:
        if plain[group].get(key, ...) == before:  # which may be None
            del plain[group][key]
    backbone = plain["backbone"]
    if backbone.get("zero_init_residual") == (backbone.get("depth") == 50):  # as it was before there was this key
        del backbone["zero_init_residual"]
    callbacks = cfg.get("callbacks") or {}
    if extra := [key for key, value in callbacks.items() if key not in _INDECISIVE_CALLBACKS and value]:
        plain["callbacks"] = {key: _plain(callbacks[key]) for key in extra}
    named: dict[str, Any] = own_names(plain)
    return named


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _same_job(job: Mapping[str, Any], inputs: Mapping[str, Any], images: "FaceImages") -> bool:
    if not {"config", "data"} <= job.keys() or not on_same_data(job, inputs, images):
        return False
    by_content = ("init_from", "teacher")
    same = all(job.get(key) == inputs.get(key) for key in by_content)
    return same and _settings(job["config"]) == _settings(inputs["config"])


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A job's configuration without what counts by its content: data, and models by their fingerprints."""
    settings = {**deciding_config(config), "dataset": None, "init_from": None}
    return {**settings, "teacher": {**settings["teacher"], "model": None}} if "teacher" in settings else settings


def _is_begun(run: Path, inputs: Mapping[str, Any], images: "FaceImages") -> bool:
    """Whether this job was begun in `run` and not finished."""
    if read_inputs(run) is not None:
        return False
    if (started := read_started(run)) is not None:
        return _same_job(started, inputs, images)
    try:  # begun when nothing but the configuration was written down
        config = yaml.safe_load((run / "config.yaml").read_bytes())
        return bool(deciding_config(config) == inputs["config"])
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return False
