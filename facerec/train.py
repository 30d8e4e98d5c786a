"""Train one embedder: `python -m facerec.train backbone=resnet34 loss=arcface`."""

import json
import logging
import os
import sys
import zipfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate as hydra_instantiate
from omegaconf import DictConfig, OmegaConf

from facerec.errors import ConfigError, ModelError
from facerec.job import run_job

if TYPE_CHECKING:
    from facerec.data import FaceData
    from facerec.learner import Learner

log = logging.getLogger(__name__)
instantiate = partial(hydra_instantiate, _convert_="all")  # plain lists and dicts, which every library knows


def train(cfg: DictConfig) -> None:
    """Train, measure the best checkpoint, and write the model folder of one run."""
    import pytorch_lightning as pl  # heavy imports wait until there is something to do: --help is quick

    run = Path(HydraConfig.get().runtime.output_dir)
    _check(cfg, run)
    OmegaConf.save(cfg, run / "config.yaml", resolve=True)
    data = _data(cfg)
    pl.seed_everything(cfg.seed, workers=True)  # after decoding, which draws random numbers only where it happens
    learner = _learner(cfg, data)
    try:
        _fit(cfg, run, learner, data)
    finally:
        if "wandb" in sys.modules:
            sys.modules["wandb"].finish(exit_code=1 if sys.exc_info()[0] else 0)


def _check(cfg: DictConfig, run: Path) -> None:
    """Everything that can be refused before work starts."""
    if (run / "checkpoints").exists() and cfg.ckpt_path is None:
        raise ConfigError(
            f"hydra.run.dir: {run} holds another run; resume it with ckpt_path={run}/checkpoints/last.ckpt, or "
            "choose another folder"
        )
    if cfg.ckpt_path is not None and not zipfile.is_zipfile(cfg.ckpt_path):
        raise ModelError(f"ckpt_path: {cfg.ckpt_path} is missing or is no complete checkpoint")
    if cfg.ckpt_path is not None and cfg.init_from is not None:
        raise ConfigError("ckpt_path resumes a run and init_from starts a new one: give one of them")


def _data(cfg: DictConfig) -> "FaceData":
    images = instantiate(cfg.dataset)
    counts = ", ".join(f"{len(images.rows(part))} {part}" for part in ("train", "seen", "val", "test"))
    log.info("dataset %s: %d training identities; images: %s", images.name, images.num_classes, counts)
    data: FaceData = instantiate(cfg.data)(images, instantiate(cfg.augment), seed=cfg.seed)
    return data


def _learner(cfg: DictConfig, data: "FaceData") -> "Learner":
    from facerec import load
    from facerec.embedder import Embedder

    statistics = data.statistics
    log.info("channel mean %s, std %s (0..255)", *(_rounded(row) for row in (statistics.mean, statistics.std)))
    embedder = Embedder(instantiate(cfg.backbone), statistics.mean, statistics.std)
    if cfg.init_from is not None:
        start = load(cfg.init_from)
        if start.backbone.options != embedder.backbone.options:
            raise ModelError(
                f"init_from: {cfg.init_from} is {start.backbone.options}, not {embedder.backbone.options}"
            )
        embedder.backbone.load_state_dict(start.backbone.state_dict())
    head = instantiate(cfg.loss, embedding_dim=embedder.embedding_dim, num_classes=data.images.num_classes)
    parts = instantiate(cfg.optimizer), instantiate(cfg.scheduler)
    learner: Learner = instantiate(cfg.learner)(embedder, head, data.images, *parts)
    return learner


def _fit(cfg: DictConfig, run: Path, learner: "Learner", data: "FaceData") -> None:
    import torch
    from pytorch_lightning.loggers import CSVLogger

    from facerec.precision import fastest_precision
    from facerec.report import CropGrid, draw_curves, show_table

    precision = cfg.trainer.precision
    if precision == "auto":
        precision = fastest_precision(cfg.trainer.accelerator)
    os.environ.setdefault("WANDB_QUIET", "true")  # the run ends with our table, not with W&B's summary
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        os.environ.setdefault("WANDB_RUN_GROUP", HydraConfig.get().sweep.dir)
    loggers = [CSVLogger(run, name="csv"), *([instantiate(cfg.logger)] if cfg.logger else [])]
    callbacks = {name: instantiate(callback) for name, callback in cfg.callbacks.items()}
    make_trainer = instantiate(cfg.trainer, _partial_=True, precision=precision, default_root_dir=str(run))
    trainer = make_trainer(logger=loggers, callbacks=[*callbacks.values(), CropGrid(run / "crops.png")])
    for logger in trainer.loggers:
        logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
    trainer.fit(learner, data, ckpt_path=cfg.ckpt_path)

    if trainer.fast_dev_run:
        return
    best = Path(callbacks["checkpoint"].best_model_path)
    learner.load_state_dict(torch.load(best, map_location="cpu", weights_only=True)["state_dict"])
    evaluator = make_trainer(logger=False, callbacks=[callbacks["progress"]])
    metrics = evaluator.validate(learner, data, verbose=False)
    if len(data.images.rows("test")):
        metrics += evaluator.test(learner, data, verbose=False)
    if trainer.is_global_zero:
        values = {name: value for part in metrics for name, value in part.items()}
        _finish(cfg, run, learner, data, values)
        draw_curves(run / "csv", run / "curves.png")
        show_table(values, trainer.loggers, run)


def _finish(cfg: DictConfig, run: Path, learner: "Learner", data: "FaceData", metrics: dict[str, float]) -> None:
    """Write what the run was for: its metrics and its model."""
    from facerec import model

    (run / "metrics.json").write_text(json.dumps(metrics, indent=1))
    statistics = {"channels": asdict(data.statistics), "metrics": metrics}
    loss = type(learner.head).__name__
    origin = {"dataset": data.images.name, "loss": loss, "seed": cfg.seed, "run": str(run)}
    model.save(run / "model", learner.embedder, statistics=statistics, origin=origin)


def _rounded(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.2f}" for value in values) + ")"


if __name__ == "__main__":
    run_job("train", train)
