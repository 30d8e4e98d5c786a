"""One training run: from a configuration to a trained, measured and saved embedder."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from facerec.errors import ConfigError, ModelError
from facerec.runtime.allocator import keep_freed_memory
from facerec.runtime.files import replace_file

if TYPE_CHECKING:
    from pytorch_lightning import Callback

    from facerec.data import FaceData, FaceImages
    from facerec.models.embedder import Embedder
    from facerec.training.learner import Learner
    from facerec.training.teacher import Teacher

log = logging.getLogger(__name__)
Build = Callable[..., Any]  # makes what a node of the configuration describes


def run_training(
    cfg: DictConfig,
    run: Path,
    images: "FaceImages",
    build: Build,
    *,
    group: str | None = None,
    callbacks: Sequence["Callback"] = (),
) -> dict[str, float] | None:
    """Train and measure in the folder `run`.

    Args:
        cfg: as conf/train.yaml.
        run: the folder; made already.
        images: the data set.
        build: makes what a node of the configuration describes, as `hydra.utils.instantiate` does.
        group: of the run on W&B; None for a run on its own.
        callbacks: more of them than the configuration names.

    Returns:
        The metrics of the model by name; nothing after a dry run, or in a process that is not the first.
    """
    import pytorch_lightning as pl  # heavy imports wait until there is something to do: --help is quick
    from pytorch_lightning.utilities import rank_zero_only

    if getattr(rank_zero_only, "rank", 0):  # the first process speaks for all
        logging.getLogger().setLevel(logging.WARNING)
    else:
        replace_file(run / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True).encode())
    data = _data(cfg, images, build)
    pl.seed_everything(cfg.seed, workers=True)  # after decoding, which draws random numbers only where it happens
    with _refused_or_interrupted():
        return _fit(cfg, run, _learner(cfg, data, build), data, build, group, callbacks)


@contextmanager
def _refused_or_interrupted() -> Iterator[None]:
    """What Lightning refuses as an error of ours; and an interrupt as one, which Lightning turns into an exit."""
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    try:
        yield
    except MisconfigurationException as error:
        raise ConfigError(f"trainer: {error}") from error
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise stop.__context__ from None
        raise


def _data(cfg: DictConfig, images: "FaceImages", build: Build) -> "FaceData":
    counts = ", ".join(f"{len(images.rows(split))} {split}" for split in ("train", "seen", "val", "test"))
    log.info("dataset %s: %d training identities; images: %s", images.name, images.num_classes, counts)
    data: FaceData = build(cfg.data)(images, build(cfg.augment), seed=cfg.seed)
    data.prepare_data()  # the model needs the channel statistics before Lightning would ask for the data
    return data


def _learner(cfg: DictConfig, data: "FaceData", build: Build) -> "Learner":
    from facerec.models import load
    from facerec.models.embedder import Embedder
    from facerec.models.store import read_teacher_axes

    statistics = data.statistics
    log.info("channel mean %s, std %s (0..255)", *(_rounded(row) for row in (statistics.mean, statistics.std)))
    embedder = Embedder(build(cfg.backbone), statistics.mean, statistics.std)
    teacher = _teacher(cfg, data, embedder, build)
    if cfg.init_from is not None:
        start = load(cfg.init_from)
        if not isinstance(start, Embedder):
            raise ModelError(f"init_from: {cfg.init_from} is an ensemble; give one of its members")
        if start.backbone.options != embedder.backbone.options:
            raise ModelError(
                f"init_from: {cfg.init_from} is {start.backbone.options}, not {embedder.backbone.options}"
            )
        embedder.load_state_dict(start.state_dict())  # with the mean and deviation that its network is used to
        if teacher and (axes := read_teacher_axes(cfg.init_from, teacher.model.fingerprint)) is not None:
            teacher.take_axes(axes)  # the space that it has learnt
    head = build(cfg.loss, embedding_dim=embedder.embedding_dim, num_classes=data.images.num_classes)
    if data.augment.mixup and (head or not teacher or data.views):
        log.warning("augment.mixup is off: only a teacher that sees each batch can say what two mixed faces are")
        data.augment.mixup = 0.0
    parts = build(cfg.optimizer), build(cfg.scheduler)
    learner: Learner = build(cfg.learner)(embedder, head, data.images, *parts, teacher=teacher)
    if cfg.learner.compile:
        data.augment.compile()
    return learner


def _teacher(cfg: DictConfig, data: "FaceData", embedder: "Embedder", build: Build) -> "Teacher | None":
    from facerec.training.precision import uses_gpu

    if not cfg.get("teacher"):
        return None
    given = {key: cfg[key] for key in ("offline", "accept_licence")}
    gpu = uses_gpu(cfg.trainer.accelerator)
    teacher: Teacher = build(cfg.teacher)(data, embedder.embedding_dim, gpu=gpu, **given)
    if embedder.backbone.options.get("final_relu") and teacher.negative:
        raise ConfigError(
            "backbone.final_relu: no number is negative after a ReLU, but the teacher's vectors have negative "
            "ones; choose backbone.final_relu=false"
        )
    return teacher


def _fit(
    cfg: DictConfig,
    run: Path,
    learner: "Learner",
    data: "FaceData",
    build: Build,
    group: str | None,
    more_callbacks: Sequence["Callback"],
) -> dict[str, float] | None:
    from pytorch_lightning import Trainer
    from pytorch_lightning.callbacks import ProgressBar, WeightAveraging
    from pytorch_lightning.loggers import CSVLogger

    from facerec.models import store
    from facerec.report import draw_curves, show_table
    from facerec.training.checkpoints import WholeCheckpoints, last_checkpoint
    from facerec.training.comparison import compare, figures, show_student
    from facerec.training.crop_grid import CropGrid
    from facerec.training.pair_accuracy import PairAccuracy
    from facerec.training.precision import fastest_precision
    from facerec.training.result import origin_of, write_result
    from facerec.training.resuming import check_same_averaging
    from facerec.training.watching import best_checkpoint, callbacks_of, loggers_of, watch_cosine

    precision = cfg.trainer.precision
    if precision == "auto":
        precision = fastest_precision(cfg.trainer.accelerator)
    loggers = [CSVLogger(run, name="csv"), *loggers_of(cfg, run, build, group)]
    callbacks, switches = callbacks_of(cfg, build)
    if not data.images.known:
        watch_cosine(callbacks)

    def make_trainer(**parts: Any) -> Trainer:
        make = build(cfg.trainer, _partial_=True, precision=precision, default_root_dir=str(run))
        plugins = [*(make.keywords.get("plugins") or []), WholeCheckpoints()]
        try:
            trainer: Trainer = make(**parts, **switches, plugins=plugins)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"trainer: {error}") from error
        return trainer

    trainer = make_trainer(logger=loggers, callbacks=[*callbacks, *more_callbacks, CropGrid(run / "crops.png")])
    store.check(run / "model", learner.embedder, origin=origin_of(cfg, run, learner, data))
    parameters: Any = OmegaConf.to_container(cfg, resolve=True)
    for logger in trainer.loggers:
        logger.log_hyperparams(parameters)
    if trainer.strategy.root_device.type == "cpu":
        keep_freed_memory()
    checkpoint = last_checkpoint(Path(cfg.resume)) if cfg.resume else None
    if checkpoint:
        check_same_averaging(checkpoint, averages=any(isinstance(entry, WeightAveraging) for entry in callbacks))
    trainer.fit(learner, data, ckpt_path=checkpoint)

    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        return None
    again = (ProgressBar, PairAccuracy)
    evaluator = make_trainer(
        logger=False, callbacks=[callback for callback in callbacks if isinstance(callback, again)]
    )
    best = best_checkpoint(trainer)
    if best:
        learner.restore(best)
    else:
        log.warning("no validation has chosen a best checkpoint, so the model is that of the last step")
    metrics = list(evaluator.validate(learner, data, verbose=False))
    if len(data.images.rows("test")):
        metrics += evaluator.test(learner, data, verbose=False)
    values = {name: value for split in metrics for name, value in split.items()}
    if not trainer.is_global_zero:
        return None
    beside = compare(learner.embedder, learner.teacher, data, values) if learner.teacher else None
    write_result(cfg, run, learner, data, values | (figures(*beside) if beside else {}))
    draw_curves(run / "csv", run / "curves.png")
    show_table(values, trainer.loggers, run, "Best checkpoint" if best else "Last step")
    if learner.teacher and beside:
        show_student(*beside, learner.teacher.record["name"], trainer.loggers)
    return values


def _rounded(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.2f}" for value in values) + ")"
