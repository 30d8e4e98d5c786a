"""Measure a model on people it never saw: `python -m facerec.evaluate study=orl`."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from facerec.errors import ConfigError, DataError
from facerec.job import loggers_of, run_job, wandb_finished
from facerec.study.freshness import begin, finish, is_fresh

if TYPE_CHECKING:
    from facerec.data import FaceImages
    from facerec.evaluation import Evaluated
    from facerec.models import Model

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig) -> None:
    """Measure, write metrics and report, and store thresholds and calibration with the model."""
    from facerec.models import FlippedModel, open_model
    from facerec.report.evaluation import log_evaluation, show_evaluation
    from facerec.study.members import check_named, dataset_of

    out = Path(HydraConfig.get().runtime.output_dir)
    model = open_model(cfg.model, cfg.device, offline=cfg.offline, accept_licence=cfg.accept_licence)
    if cfg.flip:
        if cfg.store_thresholds:
            raise ConfigError("store_thresholds: a gallery adds no mirror images, and needs those of flip=false")
        model = FlippedModel(model)
    if cfg.get("protocol"):
        _measure_protocol(cfg, model, out)
        return
    images = instantiate(dataset_of(cfg.get("dataset"), model), _convert_="all", _recursive_=False)
    check_named(images)
    if cfg.shard:
        _embed_shard(cfg, model, images)
        return
    unseen = _check_unseen(cfg, model, images)
    inputs = _inputs(cfg, model, images)
    if is_fresh(out, inputs):
        log.info("%s: neither model nor data have changed, so the figures stay as they are", out)
        results = json.loads((out / "metrics.json").read_text())
        show_evaluation(results, out, _keep_thresholds(cfg, model, results, out))
        return
    evaluated = _measure(cfg, model, images)
    results = evaluated.results
    results.update(
        model=str(model.path), fingerprint=model.fingerprint, flip=cfg.flip, data=inputs["data"], **unseen
    )
    begin(out, inputs)
    _write(out, model, evaluated)
    show_evaluation(results, out, _keep_thresholds(cfg, model, results, out))
    with wandb_finished():
        for logger in loggers_of(cfg, out):
            log_evaluation(results, logger, out / "report.html")
    finish(out, inputs)


def _measure_protocol(cfg: DictConfig, model: "Model", out: Path) -> None:
    from facerec.report.protocol import show_protocol
    from facerec.runtime.files import replace_json

    for key in ("dataset", "shard", "pairs", "attributes", "store_thresholds"):
        if cfg.get(key):
            raise ConfigError(f"{key}: protocol measures its own images alone; leave {key} out")
    embedding = {"cache": Path(cfg.data.cache_dir), "batch_size": cfg.data.batch_size}
    results = instantiate(cfg.protocol)(model, **embedding) | {"flip": cfg.flip}
    options = [results["weight_by"] or "", "flip" if cfg.flip else ""]
    file = out / "-".join(filter(None, [results["protocol"].lower(), *options])) / "metrics.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_json(file, {**results, "model": str(model.path), "fingerprint": model.fingerprint}, allow_nan=False)
    show_protocol(results, file)
    named = {f"{file.parent.name}/{name}": figures for name, figures in results["systems"].items()}
    with wandb_finished():
        for logger in loggers_of(cfg, out):
            for name, figures in named.items():
                logger.log_metrics({f"{name}/{key}": value for key, value in figures.items() if value is not None})


def _inputs(cfg: DictConfig, model: "Model", images: "FaceImages") -> dict[str, Any]:
    """All that decides the figures."""
    from facerec._version import __version__
    from facerec.data.fingerprint import data_fingerprint, files_fingerprint, list_fingerprint
    from facerec.evaluation import find_images, list_root, pair_files, read_pairs, split_by_kind

    cache, attributes = Path(cfg.data.cache_dir), cfg.attributes
    pairs, root = pair_files(cfg.pairs, cfg.pairs_root)
    lists = split_by_kind(pairs)[1]
    folder = list_root(lists, root)
    listed = find_images(read_pairs(lists), folder)[0] if lists else {}
    statistics = model.statistics
    return {
        "version": __version__,
        **{key: cfg[key] for key in ("split", "allow_seen", "flip", "resamples", "seed")},
        **_rates(cfg),
        "model": model.fingerprint,
        "statistics": {"ensemble": statistics.ensemble, "trained_on": statistics.trained_on},
        "data": data_fingerprint(images, cache),
        "attributes": list_fingerprint(Path(attributes)) if attributes else None,
        "pairs": [list_fingerprint(file) for file in pairs],
        "pairs_root": files_fingerprint(list(listed.values()), cache) if lists else None,
        "detector": OmegaConf.to_container(cfg.detector, resolve=True) if lists else None,
    }


def _embed_shard(cfg: DictConfig, model: "Model", images: "FaceImages") -> None:
    from facerec.evaluation import embed_splits
    from facerec.runtime.work_shard import Shard

    shard = Shard.parse(cfg.shard)
    embed_splits(**_embedding(cfg, model, images), shard=shard)
    log.info("shard %s of the embeddings is written; after the last one the same without shard", cfg.shard)


def _check_unseen(cfg: DictConfig, model: "Model", images: "FaceImages") -> dict[str, Any]:
    """On which data sets the model was trained, how many of these identities it saw there (None if that is not
    known), and which of its members do not say on whom."""
    from facerec.models.training_people import training_people

    if cfg.split not in ("test", "train"):
        raise ConfigError(f"split must be test or train, not {cfg.split}: val calibrates the probabilities")
    for split in ("val", cfg.split):
        if not len(images.rows(split)):
            raise DataError(f"dataset {images.name} has no {split} images; {images.split_by} decides how many")
    people = training_people(model.statistics)
    unknown = {"training_unknown": list(people.unknown)}
    if not people.known:
        log.warning("%s: does not say whom it was trained on, so that is not checked", model.path)
        return {"trained_on": None, "shared_identities": None, **unknown}
    if people.unknown:
        log.warning("%s: training people of its %s are unknown", model.path, ", ".join(people.unknown))
    trained_on = ", ".join(people.known)
    shared = people.shared_with(images, "val", cfg.split)
    if shared and not cfg.allow_seen:
        asked = images.identity_digests("val", cfg.split)
        raise DataError(
            f"dataset {images.name}: the model was trained on {shared} of the {len(asked)} identities it would be "
            "measured on; choose others, or allow_seen=true, and the report will say so"
        )
    if shared and cfg.store_thresholds:
        raise ConfigError("store_thresholds: thresholds of people that the model was trained on are too low")
    return {"trained_on": trained_on, "shared_identities": shared, **unknown}


def _measure(cfg: DictConfig, model: "Model", images: "FaceImages") -> "Evaluated":
    from facerec.evaluation import evaluate_model, open_pair_sets, pair_files

    return evaluate_model(
        **_embedding(cfg, model, images),
        attributes=Path(cfg.attributes) if cfg.attributes else None,
        pair_sets=open_pair_sets(*pair_files(cfg.pairs, cfg.pairs_root), lambda: instantiate(cfg.detector)),
        **_rates(cfg),
        resamples=cfg.resamples,
        seed=cfg.seed,
    )


def _rates(cfg: DictConfig) -> dict[str, Any]:
    """At which error rates is measured."""
    rates = {key: list(cfg[key]) for key in ("fars", "fpirs")}
    for key, values in rates.items():
        if not values or not all(0 < value < 1 for value in values):
            raise ConfigError(f"{key}: must be rates between 0 and 1, not {values}")
    return rates


def _embedding(cfg: DictConfig, model: "Model", images: "FaceImages") -> dict[str, Any]:
    """What embedding needs, alone or before measuring."""
    from facerec.data import dataset_crops

    cache = Path(cfg.data.cache_dir)
    return {
        "model": model,
        "images": images,
        "crops": dataset_crops(images, cache, cfg.data.decode_workers, cache=cfg.data.cache),
        "split": cfg.split,
        "cache": cache,
        "batch_size": cfg.data.batch_size,
    }


def _write(out: Path, model: "Model", evaluated: "Evaluated") -> None:
    from facerec.evaluation import as_csv
    from facerec.report.evaluation import write_evaluation
    from facerec.runtime.files import replace_file, replace_json
    from facerec.study.members import member_runs

    results = evaluated.results
    results["ensemble"] = model.statistics.ensemble
    results["teachers"] = {name: dict(teacher) for name, teacher in model.teachers.items()}
    replace_json(out / "metrics.json", results, allow_nan=False)
    replace_file(out / "metrics.csv", as_csv(results).encode(errors="replace"))
    write_evaluation(out / "report.html", evaluated, member_runs(model))


def _keep_thresholds(cfg: DictConfig, model: "Model", results: Mapping[str, Any], out: Path) -> str:
    """Store thresholds and calibration with the model if they are its to take; says in the report whose it has."""
    from facerec.evaluation import describe_thresholds, takes_thresholds, with_thresholds
    from facerec.evaluation.thresholds import measured_on
    from facerec.report import state_thresholds
    from facerec.report.card import write_card

    statistics = model.statistics
    if takes_thresholds(statistics, results, cfg.store_thresholds):
        statistics = with_thresholds(statistics, results)
        model.store(statistics)
    if results["shared_identities"]:
        log.warning("the identities are not unseen, so no threshold is stored with the model")
    if cfg.flip:
        log.info("flip=true: a gallery adds no mirror images, so no threshold is stored with the model")
    elif statistics.evaluated_on == measured_on(results):  # a card tells of the thresholds that the model has
        write_card(model, results)
    sentence: str = describe_thresholds(statistics, results)
    state_thresholds(out / "report.html", sentence)
    return sentence


if __name__ == "__main__":
    run_job("evaluate", evaluate)
