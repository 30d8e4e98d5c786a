"""An averaged training beside the average of its weights in float64, and beside itself, stopped."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from torch.optim import AdamW

from facerec.backbones import ResNet
from facerec.data import Augment, FaceData, orl
from facerec.errors import ConfigError
from facerec.losses import ArcFace
from facerec.models.embedder import Embedder
from facerec.training.ema import EMA
from facerec.training.learner import Learner
from facerec.training.resuming import check_same_averaging
from facerec.training.schedules import constant

State = dict[str, Tensor]


class _Recorder(pl.Callback):
    """The weights after each step, and those that each validation sees."""

    def __init__(self) -> None:
        self.steps: list[State] = []
        self.validated: list[State] = []
        self._last = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._last = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if trainer.global_step > self._last:  # not each batch ends a step
            self._last = trainer.global_step
            self.steps.append(_copied(pl_module.state_dict()))

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if not trainer.sanity_checking:
            self.validated.append(_copied(pl_module.state_dict()))


def _copied(state: State) -> State:
    return {name: value.clone() for name, value in state.items()}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FaceData:
    given: dict[str, Any] = {"batch_size": 8, "num_workers": 0, "decode_workers": 0, "seed": 0}
    return FaceData(orl(), Augment(flip=0.5), cache_dir=str(tmp_path_factory.mktemp("cache")), **given)


def _train(
    data: FaceData, epochs: int, folder: Path, *, goes_on: bool = False, decay: float = 0.8
) -> tuple[_Recorder, State, dict[str, Any]]:
    """What was recorded, the weights in the end, and the last checkpoint."""
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, embedding_dim=8, stem="imagenet"), [120.0] * 3, [50.0] * 3)
    head = ArcFace(8, data.images.num_classes, m=0.3, scale=16.0)
    recorder = _Recorder()
    keeper = ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accumulate_grad_batches=2,
        limit_train_batches=6,
        limit_val_batches=1,
        callbacks=[recorder, EMA(decay), keeper],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    learner = Learner(embedder, head, data.images, partial(AdamW, lr=3e-3), partial(constant, warmup=0.5))
    file = folder / "last.ckpt"
    trainer.fit(learner, data, ckpt_path=file if goes_on else None)
    ended = _copied(learner.state_dict())
    return recorder, ended, torch.load(file, weights_only=True)


def _averages(steps: list[State], decay: float) -> list[dict[str, NDArray[np.float64]]]:
    """After each step, in float64: the first weights, then the rule."""
    averages: list[dict[str, NDArray[np.float64]]] = []
    for count, state in enumerate(steps):
        share = 1 - min(decay, (1 + count) / (10 + count)) if count else 1.0
        now = {name: value.double().numpy() for name, value in state.items() if value.is_floating_point()}
        last = averages[-1] if averages else now
        averages.append({name: last[name] + share * (value - last[name]) for name, value in now.items()})
    return averages


def _assert_close(found: State, wanted: dict[str, NDArray[np.float64]]) -> None:
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name].numpy(), value, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("decay", [0.3, 0.999])
def test_validation_checkpoint_and_model_hold_the_average_of_all_steps(
    data: FaceData, tmp_path: Path, decay: float
) -> None:
    recorder, ended, checkpoint = _train(data, 2, tmp_path, decay=decay)
    averages = _averages(recorder.steps, decay)
    assert len(averages) == 6
    assert any("running_var" in name for name in averages[0])
    for validated, average in zip(recorder.validated[::2], averages[2::3], strict=True):
        _assert_close(validated, average)
    _assert_close(ended, averages[-1])
    _assert_close(checkpoint["state_dict"], averages[-1])
    # the statistics of the data set are no weights, and must not drift
    assert torch.equal(ended["embedder.mean"], recorder.steps[0]["embedder.mean"])
    weight = "embedder.backbone.conv1.weight"
    torch.testing.assert_close(checkpoint["current_model_state"][weight], recorder.steps[-1][weight])
    assert not torch.allclose(ended[weight], recorder.steps[-1][weight], rtol=1e-3)


def test_a_resumed_training_ends_as_one_never_stopped(data: FaceData, tmp_path: Path) -> None:
    whole, ended, _ = _train(data, 2, tmp_path / "whole")
    _train(data, 1, tmp_path / "stopped")
    resumed, ended_later, _ = _train(data, 2, tmp_path / "stopped", goes_on=True)
    assert len(resumed.steps) == 3
    for one, other in ((whole.steps[-1], resumed.steps[-1]), (whole.validated[-1], resumed.validated[-1])):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ended, ended_later, rtol=1e-4, atol=1e-5)


def test_a_head_with_sharded_classes_is_refused(data: FaceData) -> None:
    embedder = Embedder(ResNet(18, embedding_dim=8, stem="imagenet"), [120.0] * 3, [50.0] * 3)
    head = ArcFace(8, 24, m=0.3, scale=16.0, shard_classes=True)
    learner = Learner(embedder, head, data.images, partial(AdamW, lr=3e-3), constant)
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    with pytest.raises(ConfigError, match=r"callbacks\.ema does not work with loss\.shard_classes=true"):
        EMA().setup(trainer, learner, "fit")


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_that_can_not_be_is_refused_by_its_key(decay: float) -> None:
    with pytest.raises(ConfigError, match=r"callbacks\.ema\.decay must be"):
        EMA(decay)


@pytest.mark.parametrize("averages", [False, True])
def test_a_run_does_not_go_on_from_an_average_that_it_does_not_keep(tmp_path: Path, averages: bool) -> None:
    file = tmp_path / "last.ckpt"
    torch.save({"state_dict": {}, **({} if averages else {"current_model_state": {}})}, file)
    check_same_averaging(file, averages=not averages)
    with pytest.raises(ConfigError, match=r"resume: the checkpoint's training went with(out)? callbacks\.ema"):
        check_same_averaging(file, averages=averages)
