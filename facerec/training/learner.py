"""The LightningModule: an embedder, and the head and the teacher that it learns from."""

import logging
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanMetric

from facerec.data import Batch, FaceImages
from facerec.distributed import collectives
from facerec.errors import ConfigError
from facerec.losses import Head, HeadOutput
from facerec.losses.class_shards import ShardedClassifier, clip_sharded, loss_parallel
from facerec.losses.shard_checkpoints import gather_shards, shard_checkpoint
from facerec.metrics import RetrievalMetrics, SeenAccuracy
from facerec.models.embedder import Embedder
from facerec.training.finite import FiniteLosses
from facerec.training.resuming import check_same_run, check_same_schedule, proper_schedule
from facerec.training.teacher import Teacher

log = logging.getLogger(__name__)


class Learner(pl.LightningModule):
    """Trains an embedder with a head, a teacher or both, and measures it on identities it never saw.

    Logs `train/loss`, `train/accuracy` (margin-free), `train/images_per_s`; after each epoch on the
    validation identities `val/MAP@R`, `val/P@1`, `val/R-precision`, `val/A@1/unseen`, and `val/A@1/seen` on
    held-out images of training identities; and the same on the test identities as `test/…`. With a teacher also
    `train/cosine` and `val/cosine`, between its vectors and the embedder's.

    Args:
        embedder: what is trained.
        head: margin classifier over the training identities, thrown away after training; None: the teacher alone.
        images: the data set, for error messages that name files.
        optimizer: called with the parameters of embedder and head.
        scheduler: called with optimizer, `steps` and `steps_per_epoch`.
        teacher: whose vectors are learnt; None: the labels alone.
        interval: "step" or "epoch", when the learning rate moves.
        half_size_epochs: how many epochs, at the start, are trained on crops of half the side, at a quarter of the
            arithmetic (progressive resizing).
        compile: compile backbone and head with torch.compile; a head with sharded classes stays as it is.

    Raises:
        ConfigError: there is neither head nor teacher, or a setting is out of place.
    """

    def __init__(
        self,
        embedder: Embedder,
        head: Head | None,
        images: FaceImages,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler],
        *,
        teacher: Teacher | None = None,
        interval: str = "step",
        half_size_epochs: int = 0,
        compile: bool = False,
    ) -> None:
        super().__init__()
        if interval not in ("step", "epoch"):
            raise ConfigError(f"learner.interval must be 'step' or 'epoch', not {interval!r}")
        if head is None and teacher is None:
            raise ConfigError("loss=none learns from a teacher alone, but teacher is null; choose teacher=sface")
        if head is not None and not images.labelled:
            raise ConfigError("dataset.labels is false, but a loss learns by identity; choose loss=none")
        self.embedder, self.head, self.images, self.teacher = embedder, head, images, teacher
        if half_size_epochs != int(half_size_epochs) or half_size_epochs < 0:
            raise ConfigError(f"learner.half_size_epochs must be 0 or a number of epochs, not {half_size_epochs}")
        if half_size_epochs and not embedder.backbone.any_size:
            name = type(embedder.backbone).__name__
            raise ConfigError(f"learner.half_size_epochs: {name} takes crops of 112 px only; give 0")
        self.make_optimizer, self.make_scheduler, self.interval = optimizer, scheduler, interval
        self.half_size_epochs = half_size_epochs
        embedder.backbone.to(memory_format=torch.channels_last)  # faster on CPUs and GPUs alike
        if compile:
            embedder.backbone.compile()  # in place: the names in a checkpoint stay as they are
            if head and not head.shard_classes:
                head.compile()
        # looking for NaN would wait for the device at each step
        self.train_accuracy, self.train_cosine, self.val_cosine = (
            MeanMetric(nan_strategy="disable") for _ in range(3)
        )
        self.val_retrieval, self.val_seen, self.test_retrieval = (
            RetrievalMetrics(),
            SeenAccuracy(),
            RetrievalMetrics(),
        )
        self.loss, self._logged = math.nan, -1  # the last that is known, and its step
        self._losses = FiniteLosses(images, self._log_loss)
        self._epoch_start, self._prototypes = 0.0, Tensor()
        self._schedule: dict[str, Any] = {}  # of the checkpoint that the training goes on from

    def configure_model(self) -> None:
        """Shard the head's classes if it wants that, now that the processes know each other."""
        if self.head and self.head.shard_classes and not self._sharded:
            self.head.shard(self.trainer.strategy.root_device)
            # shards differ from process to process: nothing to average
            DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(self, list(self._head_parameters()))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Embedder and head are optimised together; the schedule is as long as the training.

        Raises:
            ConfigError: there is nothing to train, or the schedule is not that of the checkpoint.
        """
        lengths = ("max_epochs", "max_steps", "limit_train_batches")
        if nothing := [f"trainer.{key}" for key in lengths if getattr(self.trainer, key) == 0]:
            raise ConfigError(f"{nothing[0]} is 0, which leaves nothing to train")
        self.trainer.fit_loop.setup_data()  # or the number of batches is not known yet
        steps = self.trainer.estimated_stepping_batches
        steps_per_epoch = math.ceil(self.trainer.num_training_batches / self.trainer.accumulate_grad_batches)
        if self.interval == "epoch":
            steps, steps_per_epoch = steps if math.isinf(steps) else math.ceil(steps / steps_per_epoch), 1
        optimizer = self.make_optimizer(self._trained())
        scheduler = self.make_scheduler(optimizer, steps=steps, steps_per_epoch=steps_per_epoch)
        state = scheduler.state_dict()
        check_same_schedule(self._schedule, state)
        self._warn_of_time(proper_schedule(state))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": self.interval}}

    def _warn_of_time(self, schedule: dict[str, Any]) -> None:
        timed = any(isinstance(callback, Timer) for callback in self.trainer.callbacks)  # type: ignore[attr-defined]
        if timed and not schedule.keys().isdisjoint(("T_max", "T_0")):
            log.warning(
                "trainer.max_time: the time may run out in the middle of the learning rate's schedule, which is as "
                "long as trainer.max_epochs and max_steps say; resume=RUN goes on to its end"
            )

    def forward(self, crops: Tensor) -> Tensor:
        """`uint8 [N, 3, 112, 112]` → unit `float32 [N, d]`."""
        embeddings: Tensor = self.embedder(crops)
        return embeddings

    def on_fit_start(self) -> None:
        """Bring the teacher to where the batches are."""
        if self.teacher:
            self.teacher.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Start the clock."""
        self._epoch_start = time.perf_counter()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One loss; stops the run if an earlier one was not finite."""
        halved = self.current_epoch < self.half_size_epochs
        features = self.embedder.features(batch.crops, halved=halved)
        loss = features.new_zeros((), dtype=torch.float32)
        if self.head:
            self.head.set_progress(self.current_epoch + batch_idx / self.trainer.num_training_batches)
            output: HeadOutput = self.head(features, batch.labels)
            loss = loss + output.loss
            if len(output.correct):
                self.train_accuracy.update(output.correct)
        if self.teacher:
            distance = self.teacher.loss(features, batch)
            loss = loss + self.teacher.weight * distance
            self.train_cosine.update(1 - distance.detach())
        # of all processes, so that all stop at the same step
        mean = loss
        if collectives.is_distributed():
            mean = collectives.all_reduce_sum(loss.detach()) / self.trainer.world_size
        self._losses.watch(mean, batch, self.current_epoch, batch_idx, self.global_step)
        return loss

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """The loss of a sharded head has a backward pass of its own."""
        with loss_parallel() if self._sharded else nullcontext():
            super().backward(loss, *args, **kwargs)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """As Lightning does it, but the norm counts the classes of all processes."""
        if not self._sharded:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_algorithm == "value":
            raise ConfigError("trainer.gradient_clip_algorithm: only norm works with loss.shard_classes=true")
        elif gradient_clip_val:
            clip_sharded(self.embedder.parameters(), self._head_parameters().values(), gradient_clip_val)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Log what is known at the end of the epoch's last batch, before validation.

        Raises:
            NonFiniteLossError: the weights are worth nothing.
        """
        if self.trainer.is_last_batch:
            self._losses.check()
            seconds = time.perf_counter() - self._epoch_start
            images = (batch_idx + 1) * len(batch.crops) * self.trainer.world_size
            measured: dict[str, Any] = {"images_per_s": images / seconds}
            if self.head:
                measured["accuracy"] = self.train_accuracy.compute()
            if self.teacher:
                measured["cosine"] = self.train_cosine.compute()
            for name, value in measured.items():
                size = len(batch.crops)
                self.log(f"train/{name}", value, on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
            self.train_accuracy.reset()
            self.train_cosine.reset()

    def _log_loss(self, step: int, epoch: int, loss: float) -> None:
        # not with self.log, which waits for the device to read the loss of the step itself
        self.loss = loss
        self.trainer.callback_metrics["train/loss"] = torch.tensor(loss)
        if step == self._logged:  # batches of one accumulated step
            return
        self._logged = step
        if (step + 1) % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            for logger in self.loggers:
                logger.log_metrics({"train/loss": loss, "epoch": epoch}, step)

    def on_train_end(self) -> None:
        """Look at the last losses, wherever in an epoch the training ends.

        Raises:
            NonFiniteLossError: the weights are worth nothing.
        """
        self._losses.check()

    def on_validation_epoch_start(self) -> None:
        """Gather the prototypes while all processes take part: they have unequally many batches.

        Raises:
            NonFiniteLossError: the weights are worth nothing.
        """
        self._losses.check()
        if self.head:
            self._prototypes = self.head.prototypes

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Loader 0 holds validation identities, loader 1 held-out images of training identities."""
        embeddings = self(batch.crops)
        if dataloader_idx == 0:
            if self.images.known:
                self.val_retrieval.update(embeddings, batch.labels, batch.indices)
            if self.teacher:
                self.val_cosine.update(F.cosine_similarity(embeddings, self.teacher.targets(batch)))
        elif self.head:
            self.val_seen.update(embeddings, batch.labels, self._prototypes)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of both loaders."""
        if self.images.known:
            self._log_all("val", self.val_retrieval.compute())
        self.val_retrieval.reset()
        if self.teacher:
            self._log_all("val", {"cosine": self.val_cosine.compute()})
        self.val_cosine.reset()
        if self.head and len(self.images.rows("seen")):
            self._log_all("val", {"A@1/seen": self.val_seen.compute()})
        self.val_seen.reset()
        self._prototypes = Tensor()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect embeddings of test identities."""
        self.test_retrieval.update(self(batch.crops), batch.labels, batch.indices)

    def on_test_epoch_end(self) -> None:
        """Log the metrics on the test identities."""
        self._log_all("test", self.test_retrieval.compute())
        self.test_retrieval.reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write down what was trained and how, so that anything else is refused by name.

        Raises:
            NonFiniteLossError: the weights are worth nothing.
        """
        self._losses.check()
        checkpoint["facerec"] = self._identity() | self._batches()
        if self.teacher and self.teacher.axes is not None:
            checkpoint["teacher_axes"] = torch.from_numpy(self.teacher.axes)
        if self._sharded:
            gather_shards(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the checkpoint of another architecture, head or data set, or of other batches.

        Raises:
            ModelError: names what differs.
        """
        saved = {"teacher": None, **checkpoint.get("facerec", {})}  # before there were teachers
        current = self._identity() | self._batches()
        current = {key: value for key, value in current.items() if key in saved or "." not in key}
        check_same_run(saved, current)
        if self.teacher and "teacher_axes" in checkpoint:
            self.teacher.take_axes(checkpoint["teacher_axes"].numpy())
        self._schedule = next(iter(checkpoint.get("lr_schedulers", [])), {})
        if self._sharded:
            shard_checkpoint(checkpoint, self._sharded, self._head_parameters(), self._trained())

    def restore(self, checkpoint: Path) -> None:
        """Take the weights of a checkpoint of this run."""
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        self.on_load_checkpoint(content)
        self.load_state_dict(content["state_dict"])

    @property
    def _sharded(self) -> ShardedClassifier | None:
        return self.head.sharded if self.head else None

    def _trained(self) -> list[nn.Parameter]:
        return [*self.embedder.parameters(), *self._head_parameters().values()]

    def _head_parameters(self) -> dict[str, nn.Parameter]:
        return {f"head.{name}": parameter for name, parameter in self.head.named_parameters()} if self.head else {}

    def _identity(self) -> dict[str, Any]:
        return {
            "backbone": {"class": type(self.embedder.backbone).__name__, **self.embedder.backbone.options},
            "loss": type(self.head).__name__ if self.head else None,
            "dataset": self.images.name,
            "identities": self.images.num_classes,
            "teacher": None,
            "learner.half_size_epochs": self.half_size_epochs,
            **(self.teacher.settings if self.teacher else {}),
        }

    def _batches(self) -> dict[str, int]:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        return {
            "data.batch_size * processes": data.batch_size * self.trainer.world_size,
            "trainer.accumulate_grad_batches": self.trainer.accumulate_grad_batches,
        }

    def _log_all(self, prefix: str, values: dict[str, Any]) -> None:
        for name, value in values.items():
            # equal on all processes, which hold all embeddings by now
            on_bar = name == "MAP@R"
            self.log(f"{prefix}/{name}", value, prog_bar=on_bar, add_dataloader_idx=False, sync_dist=True)
