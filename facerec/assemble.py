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
    from facerec.models import Embedder, Ensemble, Model, Statistics
    from facerec.weighting import Moments

log = logging.getLogger(__name__)


def assemble(cfg: DictConfig) -> None:
    """Embed the training identities with each member, find pair statistics and weights, write the ensemble."""
    from facerec._version import __version__
    from facerec.data import describe_dataset
    from facerec.data.fingerprint import data_fingerprint
    from facerec.models import open_model, store
    from facerec.report import log_ensemble, show_weights
    from facerec.study.layout import member_names, study_dir
    from facerec.study.members import check_same_identities, dataset_of, find_members

    if cfg.split not in ("train", "val"):
        raise ConfigError(f"split must be train or val, not {cfg.split!r}")
    if cfg.data.batch_size < 1:
        raise ConfigError(f"data.batch_size must be 1 or more, not {cfg.data.batch_size}")
    out = Path(HydraConfig.get().runtime.output_dir)
    names = member_names(recipes_of(cfg.study))
    models = {
        name: open_model(folder, cfg.device)
        for name, folder in find_members(study_dir(cfg), cfg.members, names).items()
    }
    embedders = {name: _network(name, model) for name, model in models.items()}
    dataset = dataset_of(cfg.get("dataset"), next(iter(models.values())))
    images = instantiate(dataset, _convert_="all", _recursive_=False)
    trained_on = check_same_identities(models, images)
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
        origin = {"members": {name: str(model.path) for name, model in models.items()}, "dataset": images.name}
        kept = _thresholds(out / "model", ensemble)
        begin(out, inputs)  # only now: an error up to here leaves what was there, and valid
        statistics = replace(kept, ensemble=measured, trained_on=trained_on).to_json()
        made = describe_dataset(OmegaConf.to_container(dataset, resolve=True), images)  # type: ignore[arg-type]
        store.save(out / "model", ensemble, statistics=statistics, origin=origin, trained_on=made)
        show_weights(measured, out / "model")
        with wandb_finished():
            for logger in loggers_of(cfg, out):
                log_ensemble(measured, logger)
        finish(out, inputs)


def _thresholds(folder: Path, ensemble: "Ensemble") -> "Statistics":
    """What evaluation stored with the model at `folder`, if its vectors are those of this ensemble."""
    import torch

    from facerec.models import Statistics, load, open_model

    try:
        before, statistics = load(folder).state_dict(), open_model(folder, "cpu").statistics
    except ModelError:  # there is none, or none that can be used
        return Statistics()
    ours = ensemble.state_dict()
    if before.keys() != ours.keys() or not all(torch.equal(before[name], ours[name].cpu()) for name in ours):
        return Statistics()
    kept = {key: getattr(statistics, key) for key in ("thresholds", "calibration", "evaluated_on")}
    return Statistics(**kept)


def _network(name: str, model: "Model") -> "Embedder":
    from facerec.models import Embedder

    network = next(iter(model.members.values()))
    if model.weights is not None or not isinstance(network, Embedder):
        raise ModelError(f"member {name}: {model.path} is an ensemble or of another make; give embedders of ours")
    return network


def _combine(
    cfg: DictConfig, embedders: "dict[str, Embedder]", fingerprints: dict[str, str], images: "FaceImages"
) -> tuple[dict[str, Any], "Ensemble"]:
    """What was found about the members on training and validation identities, and the ensemble."""
    from facerec.models import Ensemble
    from facerec.weighting import MemberPairs

    pairs = {
        split: MemberPairs(list(embeddings.values()), images.labels()[images.rows(split)], list(embedders))
        for split, embeddings in _embed(cfg, embedders, fingerprints, images, WHOLE).items()
    }
    weights = instantiate(cfg.weighting)(pairs[cfg.split])
    statistics = {
        "members": list(embedders),
        "weights": weights.tolist(),
        "weighting": cfg.weighting["_target_"].rpartition(".")[2],
        "split": cfg.split,
        "pairs": {
            split: {"genuine": _plain(moments.genuine), "impostor": _plain(moments.impostor)}
            for split, moments in pairs.items()
        },
    }
    return statistics, Ensemble(embedders, weights)


def _embed(
    cfg: DictConfig,
    embedders: "dict[str, Embedder]",
    fingerprints: dict[str, str],
    images: "FaceImages",
    shard: Shard,
) -> "dict[str, dict[str, NDArray[np.float32]]]":
    """For training and validation identities what each member says of them."""
    from facerec.data import open_crops
    from facerec.models import embed_members

    cache = Path(cfg.data.cache_dir)
    crops = open_crops(images, cache, cfg.data.decode_workers)
    settings = {"cache": cache, "batch_size": cfg.data.batch_size, "shard": shard}
    return {
        split: embed_members(embedders, fingerprints, crops, images.rows(split), **settings)
        for split in ("train", "val")
    }


def _plain(moments: "Moments") -> dict[str, Any]:
    return {"count": moments.count, "mean": moments.mean.tolist(), "covariance": moments.covariance.tolist()}


if __name__ == "__main__":
    run_job("assemble", assemble)
