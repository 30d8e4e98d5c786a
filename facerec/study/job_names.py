"""Which training job of a sweep is this: its name, what goes into it, and whether it was finished before."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from facerec.errors import FacerecError
from facerec.study.freshness import read_inputs

if TYPE_CHECKING:
    from facerec.data import FaceImages

# what runs are called, where and how they are logged, and how fast they go
_INDECISIVE = ("hydra", "hparams_search", "study", "logger", "callbacks", "resume", "paths", "print_config")
_INDECISIVE_DATA = ("cache_dir", "decode_workers", "num_workers")
UNREADABLE = (FacerecError, HydraException, OmegaConfBaseException, OSError)


def job_name(*, _root_: DictConfig) -> str:
    """Folder of a job in a sweep: loss, learning rate, and a hash over all that decides what comes out.

    Registered as the resolver `${job_name:}`. Jobs share a folder only if they are the same job on the same data,
    wherever that lies. Data that can't be opened has no split in the name: the job itself will say what is wrong.
    """
    before = _named(_root_, decisive(_root_))  # what jobs were called when data had no split in their names
    try:
        images = open_images_of(_root_)
        inputs = job_inputs(_root_, images)
    except UNREADABLE:
        return before
    if finished(Path(_root_.hydra.sweep.dir) / before, inputs, images):
        return before
    return _named(_root_, {**inputs["config"], "dataset": inputs["data"], "init_from": inputs["init_from"]})


def job_inputs(cfg: DictConfig, images: "FaceImages") -> dict[str, Any]:
    """What goes into a training job: its configuration, its data, and the model it starts from."""
    from facerec.models.store import fingerprint

    start = None if cfg.init_from is None else fingerprint(cfg.init_from)
    return {"config": decisive(cfg), "data": data_of(cfg, images), "init_from": start}


def finished(run: Path, inputs: Mapping[str, Any], images: "FaceImages") -> bool:
    """Whether the job in `run` was finished with these `job_inputs`, by whatever version and wherever they lay."""
    job, wanted = read_inputs(run), json.loads(json.dumps(inputs))
    if job is None or not (run / "model").is_dir() or not on_data_of(job, wanted, images):
        return False
    lie = {"dataset": None, "init_from": None}  # these are told apart by content
    same_start = bool(job.get("init_from") == wanted["init_from"])
    return same_start and {**job["config"], **lie} == {**wanted["config"], **lie}


def decisive(cfg: DictConfig) -> dict[str, Any]:
    """What of a run's configuration decides its metrics, resolved."""
    plain: dict[str, Any] = {
        str(key): OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in cfg.items()
        if key not in _INDECISIVE
    }
    plain["data"] = {key: value for key, value in plain["data"].items() if key not in _INDECISIVE_DATA}
    # where this key lay when the first jobs were named and finished: they keep their names
    plain["head"] = {"shard": plain["loss"].pop("shard_classes", False)}
    return plain


def on_data_of(job: Mapping[str, Any], wanted: Mapping[str, Any], images: "FaceImages") -> bool:
    """Whether a job had the wanted data; one that wrote down the times of its files, the same folder of it, too."""
    from facerec.data.fingerprint import dated_fingerprint

    if job["data"] == wanted["data"]:
        return True
    same_folder = bool(job["config"]["dataset"] == wanted["config"]["dataset"])
    return same_folder and bool(job["data"] == dated_fingerprint(images))


def open_images_of(cfg: DictConfig) -> "FaceImages":
    """The data set of a job; raises one of `UNREADABLE` where it is missing or wrong."""
    images: FaceImages = instantiate(cfg.dataset, _convert_="all")
    return images


def data_of(cfg: DictConfig, images: "FaceImages") -> str:
    """The fingerprint of a job's data."""
    from facerec.data.fingerprint import data_fingerprint

    return data_fingerprint(images, Path(cfg.data.cache_dir))


def _named(cfg: DictConfig, decides: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:8]
    return f"{cfg.hydra.runtime.choices.loss}-lr{cfg.optimizer.lr:g}-{digest}"
