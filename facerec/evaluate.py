"""Measure a model on people it never saw: `python -m facerec.evaluate study=orl`."""

import json
import logging
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from facerec.errors import ConfigError, DataError
from facerec.job import run_job, wandb_finished
from facerec.steps import begin, finish, up_to_date

if TYPE_CHECKING:
    from facerec.data import FaceImages
    from facerec.evaluation import Evaluated

log = logging.getLogger(__name__)
_DECISIVE = ["part", "allow_seen", "attributes", "lfw", "resamples", "seed"]


def evaluate(cfg: DictConfig) -> None:
    """Measure, write metrics and report, and store thresholds and calibration with the model."""
    from facerec.data.cache import fingerprint
    from facerec.report.evaluation import show_evaluation
    from facerec.study import open_images

    out = Path(HydraConfig.get().runtime.output_dir)
    folder = Path(cfg.model)
    folder = folder / "model" if (folder / "model").is_dir() else folder
    images = open_images(cfg.get("dataset"), next(iter(_member_runs(folder).values())) / "model")
    inputs = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.masked_copy(cfg, _DECISIVE), resolve=True))
    inputs |= {"model": _kind(folder).fingerprint(folder), "data": fingerprint(images)}
    if cfg.shard:
        _embed_shard(cfg, folder, inputs["model"], images)
        return
    if up_to_date(out, inputs):
        log.info("%s: neither model nor data have changed, so the figures stay as they are", out)
    else:
        shared = _check_unseen(cfg, folder, images)
        evaluated = _measure(cfg, folder, inputs["model"], images)
        evaluated.results.update(model=str(folder), fingerprint=inputs["model"], shared_identities=shared)
        begin(out)
        _write(cfg, out, folder, evaluated)
        finish(out, inputs)
    show_evaluation(json.loads((out / "metrics.json").read_text()), out)


def _embed_shard(cfg: DictConfig, folder: Path, fingerprint: str, images: "FaceImages") -> None:
    from facerec.evaluation import embed_parts
    from facerec.shard import Shard

    shard = Shard.parse(cfg.shard)
    embed_parts(**_embedding(cfg, folder, fingerprint, images), shard=shard)
    log.info("shard %s of the embeddings is written; after the last one the same without shard", cfg.shard)


def _check_unseen(cfg: DictConfig, folder: Path, images: "FaceImages") -> int:
    """How many of the identities the model was trained on."""
    from facerec.study import trained_on

    if cfg.part not in ("test", "train"):
        raise ConfigError(f"part must be test or train, not {cfg.part}: val identities calibrate the probabilities")
    for part in ("val", cfg.part):
        if not len(images.rows(part)):
            raise DataError(f"dataset {images.name} has no {part} images; set people aside (dataset.{part}_share)")
    if folder.is_file():
        log.warning("%s: a peer does not say whom it was trained on, so that is not checked", folder)
        return 0
    asked = images.identity_digests("val", cfg.part)
    shared = len(set(asked) & set(trained_on("model", folder)["identities"]))
    if shared and not cfg.allow_seen:
        raise DataError(
            f"dataset {images.name}: the model was trained on {shared} of the {len(asked)} identities it would be "
            "measured on; choose others, or allow_seen=true, and the report will say so"
        )
    return shared


def _measure(cfg: DictConfig, folder: Path, fingerprint: str, images: "FaceImages") -> "Evaluated":
    from facerec.evaluation import Lfw, evaluate_model

    attributes = Path(cfg.attributes) if cfg.attributes else None
    lfw = None
    if cfg.lfw.pairs:
        lfw = Lfw([Path(file) for file in cfg.lfw.pairs], Path(cfg.lfw.root or "."), instantiate(cfg.finder))
    given = _embedding(cfg, folder, fingerprint, images)
    return evaluate_model(**given, attributes=attributes, lfw=lfw, resamples=cfg.resamples, seed=cfg.seed)


def _embedding(cfg: DictConfig, folder: Path, fingerprint: str, images: "FaceImages") -> dict[str, Any]:
    """What embedding needs, alone or before measuring."""
    from facerec.data import open_crops

    cache = Path(cfg.data.cache_dir)
    return {
        "model": _kind(folder).load(folder),
        "fingerprint": fingerprint,
        "images": images,
        "crops": open_crops(images, cache, cfg.data.decode_workers),
        "part": cfg.part,
        "cache": cache,
        "batch_size": cfg.data.batch_size,
        "device": cfg.device,
    }


def _write(cfg: DictConfig, out: Path, folder: Path, evaluated: "Evaluated") -> None:
    from facerec.evaluation import as_csv
    from facerec.report.evaluation import log_evaluation, write_evaluation

    results, statistics = evaluated.results, _kind(folder).read_statistics(folder)
    results["ensemble"] = statistics.get("ensemble")
    (out / "metrics.json").write_text(json.dumps(results, indent=1, allow_nan=False) + "\n")
    (out / "metrics.csv").write_text(as_csv(results))
    write_evaluation(out / "report.html", evaluated, _member_runs(folder))
    with wandb_finished():
        if logger := instantiate(cfg.logger):
            log_evaluation(results, logger, out / "report.html")
    if results["shared_identities"]:
        log.warning("the identities are not unseen, so no threshold is stored with the model")
    else:
        decisions = {key: results[key] for key in ("thresholds", "calibration")}
        source = {"dataset": results["dataset"], "part": results["part"], "identities": results["identities"]}
        _kind(folder).write_statistics(folder, {**statistics, **decisions, "evaluated_on": source})


def _kind(folder: Path) -> ModuleType:
    """What reads and writes the model: a folder of ours, or the contract of a peer's ONNX model, a file."""
    from facerec import model
    from facerec.gallery import peer

    return peer if folder.is_file() else model


def _member_runs(folder: Path) -> dict[str, Path]:
    """Name → run of each member, where the contract says it."""
    from facerec.model import read_origin

    members = None if folder.is_file() else read_origin(folder).get("members")
    return {name: Path(member).parent for name, member in members.items()} if members else {"model": folder.parent}


if __name__ == "__main__":
    run_job("evaluate", evaluate)
