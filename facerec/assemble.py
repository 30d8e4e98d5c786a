"""Combine trained embedders into one: `python -m facerec.assemble study=orl`."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from facerec.errors import ConfigError, ModelError
from facerec.job import loggers_of, recipes_of, run_job, wandb_finished
from facerec.runtime.work_shard import WHOLE, Shard
from facerec.study.freshness import begin, finish, is_fresh

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facerec.data import FaceImages
    from facerec.models import Embedder, Ensemble, Statistics
    from facerec.models.onnx_module import OnnxEmbedder
    from facerec.weighting import Moments

log = logging.getLogger(__name__)


def assemble(cfg: DictConfig) -> None:
    """Embed identities with each member, find pair statistics and weights, write the ensemble."""
    from facerec._version import __version__
    from facerec.data import describe_dataset
    from facerec.data.fingerprint import data_fingerprint
    from facerec.models import open_model, store
    from facerec.models.training_people import check_same_identities, check_unseen, people_of
    from facerec.report import log_ensemble, show_weights
    from facerec.study.layout import member_names, study_dir
    from facerec.study.member_models import member_network, open_member, origin_of
    from facerec.study.members import check_named, dataset_of, find_members

    if cfg.split not in ("train", "val"):
        raise ConfigError(f"split must be train or val, not {cfg.split!r}")
    if cfg.data.batch_size < 1:
        raise ConfigError(f"data.batch_size must be 1 or more, not {cfg.data.batch_size}")
    out = Path(HydraConfig.get().runtime.output_dir)
    names = member_names(recipes_of(cfg.study))
    members = find_members(study_dir(cfg), cfg.members, names)
    given = {"offline": cfg.offline, "accept_licence": cfg.accept_licence}
    models = {name: open_member(member, cfg.device, **given) for name, member in members.items()}
    dataset = dataset_of(cfg.get("dataset"), *models.values())
    images = instantiate(dataset, _convert_="all", _recursive_=False)
    check_named(images)
    (check_unseen if cfg.split == "val" else check_same_identities)(models, images)
    embedders = {name: member_network(name, model, cfg.device) for name, model in models.items()}
    fingerprints = {name: model.fingerprint for name, model in models.items()}
    weighting = OmegaConf.to_container(cfg.weighting, resolve=True)
    inputs = {"version": __version__, "members": fingerprints, "weighting": weighting, "split": cfg.split}
    inputs["data"] = data_fingerprint(images, Path(cfg.data.cache_dir))
    if cfg.shard:
        _embed(cfg, embedders, fingerprints, images, Shard.parse(cfg.shard))
        log.info("shard %s of the embeddings is written; after the last one the same without shard", cfg.shard)
        return
    if is_fresh(out, inputs) and (out / "model").is_dir():
        log.info("%s: nothing it is made of has changed, so it stays as it is", out)
        show_weights(open_model(out / "model", "cpu").statistics.ensemble or {}, out / "model")
    else:
        measured, ensemble = _combine(cfg, embedders, fingerprints, images)
        kept = {name: models[name] for name in ensemble.names}
        before = _thresholds(out / "model", ensemble)
        begin(out, inputs)  # only now: an error up to here leaves what was there, and valid
        statistics = replace(before, ensemble=measured, trained_on=people_of(kept).to_json()).to_json()
        made = describe_dataset(OmegaConf.to_container(dataset, resolve=True), images)  # type: ignore[arg-type]
        origin = origin_of(kept, images.name)
        store.save(out / "model", ensemble, statistics=statistics, origin=origin, trained_on=made)
        show_weights(measured, out / "model")
        with wandb_finished():
            for logger in loggers_of(cfg, out):
                log_ensemble(measured, logger)
        finish(out, inputs)


def _thresholds(folder: Path, ensemble: "Ensemble") -> "Statistics":
    """What evaluation stored with the model at `folder`, if its vectors are those of this ensemble."""
    from facerec.models import Statistics, open_model, store

    try:
        before = open_model(folder, "cpu")
        same, statistics = before.fingerprint == store.fingerprint_of(ensemble), before.statistics
    except ModelError:  # there is none, or none that can be used
        return Statistics()
    if not same:
        return Statistics()
    kept = {
        key: getattr(statistics, key) for key in ("thresholds", "sample_exponent", "calibration", "evaluated_on")
    }
    return Statistics(**kept)


def _combine(
    cfg: DictConfig,
    embedders: "dict[str, Embedder | OnnxEmbedder]",
    fingerprints: dict[str, str],
    images: "FaceImages",
) -> tuple[dict[str, Any], "Ensemble"]:
    """What was found about the members on the identities of the split, and the ensemble of those that count."""
    from facerec.models import Ensemble
    from facerec.weighting import MemberPairs

    embeddings = _embed(cfg, embedders, fingerprints, images, WHOLE)
    labels = images.labels()[images.rows(cfg.split)]
    pairs = MemberPairs(list(embeddings.values()), labels, list(embedders))
    weights = instantiate(cfg.weighting)(pairs)
    statistics = {
        "members": list(embedders),
        "weights": weights.tolist(),
        "weighting": cfg.weighting["_target_"].rpartition(".")[2],
        "split": cfg.split,
        "pairs": {cfg.split: {"genuine": _plain(pairs.genuine), "impostor": _plain(pairs.impostor)}},
    }
    given = dict(zip(embedders, weights, strict=True))
    for name in (name for name, weight in given.items() if weight == 0):
        log.info("member %s: has weight 0, so it is left out of the ensemble", name)
    counted = {name: weight for name, weight in given.items() if weight > 0}
    return statistics, Ensemble({name: embedders[name] for name in counted}, list(counted.values()))


def _embed(
    cfg: DictConfig,
    embedders: "dict[str, Embedder | OnnxEmbedder]",
    fingerprints: dict[str, str],
    images: "FaceImages",
    shard: Shard,
) -> "dict[str, NDArray[np.float32]]":
    """What each member says of the identities of the split."""
    from facerec.data import dataset_crops
    from facerec.models import embed_members

    cache = Path(cfg.data.cache_dir)
    crops = dataset_crops(images, cache, cfg.data.decode_workers, cache=cfg.data.cache)
    settings = {"cache": cache, "batch_size": cfg.data.batch_size, "shard": shard}
    return embed_members(embedders, fingerprints, crops, images.rows(cfg.split), **settings)


def _plain(moments: "Moments") -> dict[str, Any]:
    return {"count": moments.count, "mean": moments.mean.tolist(), "covariance": moments.covariance.tolist()}


if __name__ == "__main__":
    run_job("assemble", assemble)
