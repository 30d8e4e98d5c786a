import math
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Generator, Tensor
from torch.optim import SGD
from torch.optim.lr_scheduler import LRScheduler

from facerec.backbones import ResNet
from facerec.data import Augment, Batch, FaceData, FaceImages, orl
from facerec.errors import ConfigError
from facerec.losses import ArcFace
from facerec.models.embedder import Embedder
from facerec.training.learner import Learner
from facerec.training.precision import fastest_precision
from facerec.training.schedules import constant, cosine

IMAGES = FaceImages("toy", [], np.array(list("aabbccdd")), np.array(["train"] * 4 + ["val"] * 4))


def _learner(**options: object) -> Learner:
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, embedding_dim=8, stem="imagenet"), [120.0] * 3, [50.0] * 3)
    head = ArcFace(8, 2, m=0.3, scale=16.0)
    return Learner(embedder, head, IMAGES, partial(SGD, lr=0.1), constant, **options)  # type: ignore[arg-type]


def test_compiling_leaves_the_names_in_a_checkpoint_as_they_are() -> None:
    plain, compiled = _learner(), _learner(compile=True)
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    assert compiled.embedder.backbone._compiled_call_impl is not None
    assert compiled.head
    assert compiled.head._compiled_call_impl is not None
    plain.load_state_dict(compiled.state_dict())


def test_an_unknown_interval_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"learner\.interval must be 'step' or 'epoch', not 'hour'"):
        _learner(interval="hour")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FaceData:
    """Six batches an epoch."""
    given: dict[str, Any] = {"batch_size": 32, "num_workers": 0, "decode_workers": 0, "seed": 0}
    return FaceData(orl(), Augment(), cache_dir=str(tmp_path_factory.mktemp("cache")), **given)


class _EnoughError(Exception):
    """Ends a training before it starts."""


@pytest.mark.parametrize(
    ("given", "epochs", "steps_per_epoch", "steps"),
    [
        ({"max_epochs": 3}, 3, 6, 18),
        ({"max_epochs": 3, "accumulate_grad_batches": 4}, 3, 2, 6),
        ({"max_epochs": 3, "limit_train_batches": 4}, 3, 4, 12),
        ({"max_epochs": 3, "overfit_batches": 2}, 3, 2, 6),
        ({"max_epochs": 30, "max_steps": 10}, 2, 6, 10),
        ({"max_epochs": -1, "max_steps": 10, "accumulate_grad_batches": 4}, 5, 2, 10),
        ({"max_epochs": -1, "max_time": "00:00:01:00"}, math.inf, 6, math.inf),
    ],
)
def test_a_schedule_is_as_long_as_the_training(
    data: FaceData, given: dict[str, Any], epochs: float, steps_per_epoch: int, steps: float
) -> None:
    def schedule(optimizer: SGD, **lengths: float) -> LRScheduler:
        told.append(lengths)
        raise _EnoughError

    told: list[dict[str, float]] = []
    for interval in ("step", "epoch"):
        learner = _learner(interval=interval)
        learner.make_scheduler = schedule
        trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", **given)
        with pytest.raises(_EnoughError):
            trainer.fit(learner, data)
    assert told == [
        {"steps": steps, "steps_per_epoch": steps_per_epoch},
        {"steps": epochs, "steps_per_epoch": 1},
    ]


def test_accumulated_batches_are_one_as_large_where_nothing_normalises_batches(tmp_path: Path) -> None:
    def trained(batch_size: int, batches: int) -> dict[str, Tensor]:
        given: dict[str, Any] = {"num_workers": 0, "decode_workers": 0, "seed": 0, "cache_dir": str(tmp_path)}
        faces = FaceData(orl(), Augment(), batch_size=batch_size, **given)
        learner = _learner()
        learner.head, learner.images = ArcFace(8, faces.images.num_classes, m=0.3, scale=16.0), faces.images
        learner.make_optimizer = partial(SGD, lr=1e-3)
        for module in list(learner.embedder.modules()):
            for name, child in module.named_children():
                if isinstance(child, torch.nn.modules.batchnorm._BatchNorm):
                    setattr(module, name, torch.nn.Identity())
        off = {"logger": False, "enable_checkpointing": False, "limit_val_batches": 0}
        trainer = pl.Trainer(
            max_steps=2,
            accumulate_grad_batches=batches,
            gradient_clip_val=5.0,
            precision="64-true",
            accelerator="cpu",
            **off,  # type: ignore[arg-type]
        )
        torch.manual_seed(0)
        trainer.fit(learner, faces)
        return dict(learner.state_dict())

    start, whole, parts = dict(_learner().state_dict()), trained(16, 1), trained(4, 4)
    for name, value in parts.items():
        torch.testing.assert_close(value, whole[name], rtol=1e-9, atol=1e-9)
    assert not torch.equal(whole["embedder.backbone.fc.weight"].float(), start["embedder.backbone.fc.weight"])


def test_a_warmed_up_training_goes_on_by_its_own_schedule_only(data: FaceData, tmp_path: Path) -> None:
    def fit(checkpoint: Path | None = None, epochs: int = 2, lr: float = 0.1, **given: float) -> None:
        learner = _learner()
        learner.head, learner.images = ArcFace(8, data.images.num_classes, m=0.3, scale=16.0), data.images
        learner.make_optimizer = partial(SGD, lr=lr)
        learner.make_scheduler = partial(cosine, **({"eta_min": 0.0, "warmup": 0.5} | given))  # type: ignore[arg-type]
        trainer = pl.Trainer(
            max_epochs=epochs,
            limit_train_batches=2,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            accelerator="cpu",
        )
        trainer.fit(learner, data, ckpt_path=checkpoint)
        if checkpoint is None:
            trainer.save_checkpoint(tmp_path / "last.ckpt")

    fit()
    fit(tmp_path / "last.ckpt")
    for given, said in (
        ({"warmup": 1.0}, "steps of the warm-up (scheduler.warmup): 1 there, 2 here"),
        ({"warmup": 0.0}, "steps of the warm-up (scheduler.warmup): 1 there, 0 here"),
        ({"epochs": 3}, "steps of the training (trainer.max_epochs, trainer.max_steps): 4 there, 6 here"),
        ({"eta_min": 0.01}, "scheduler.eta_min: 0.0 there, 0.01 here"),
        ({"lr": 0.2}, "optimizer.lr: [0.1] there, [0.2] here"),
    ):
        with pytest.raises(ConfigError, match=rf":\n  {re.escape(said)}$"):
            fit(tmp_path / "last.ckpt", **given)


class _Seeds(Augment):
    """Changes nothing and remembers what its draws would start from."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, crops: Tensor, generator: Generator | None = None, share: tuple[int, int] = (0, 1)) -> Tensor:
        assert generator
        self.seen.append(generator.initial_seed())
        return crops


class _Nothing(pl.LightningModule):
    """The least that can be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.weight.sum()

    def configure_optimizers(self) -> SGD:
        return SGD(self.parameters(), lr=0.1)


def test_each_micro_batch_has_its_own_draws_before_and_after_a_stop(data: FaceData, tmp_path: Path) -> None:
    def seeds(seed: int, *stops: int) -> list[int]:
        augment, checkpoint = _Seeds(), None
        for epochs in stops:
            trainer = pl.Trainer(
                max_epochs=epochs,
                accumulate_grad_batches=4,
                limit_val_batches=0,
                logger=False,
                enable_checkpointing=False,
                accelerator="cpu",
            )
            data.augment, data.seed = augment, seed
            trainer.fit(_Nothing(), data, ckpt_path=checkpoint)
            checkpoint = tmp_path / "last.ckpt"
            trainer.save_checkpoint(checkpoint)
        return augment.seen

    whole = seeds(1, 3)
    assert len(set(whole)) == len(whole) == 18
    assert seeds(1, 1, 3) == whole
    assert not set(seeds(2, 1)) & set(whole)
    assert whole[0] == int(np.random.SeedSequence([1, 0]).generate_state(1, np.uint64)[0])  # on every machine


def test_precision_is_what_the_hardware_multiplies() -> None:
    assert fastest_precision("tpu") == "32-true"
    cpu_has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert fastest_precision("cpu") == ("bf16-mixed" if cpu_has_bf16 else "32-true")
