"""What a training step reads of its tensors: on a GPU, each reading waits for all that was asked of it."""

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch.utils._python_dispatch import TorchDispatchMode

from facerec.backbones import ResNet
from facerec.data import Augment, FaceData, orl
from facerec.losses import ArcFace
from facerec.models.embedder import Embedder
from facerec.report.curves import read_metrics
from facerec.training import EMA, AdaBelief, Learner, ProgressBar, constant

READING = {
    "aten::_local_scalar_dense",  # item, bool, int, float
    "aten::nonzero",
    "aten::masked_select",
    "aten::equal",
}
ON_THE_HOST = {
    "finite.py",  # a copy on the host, steps later
    "ema.py",  # AveragedModel counts its steps, in a tensor that EMA keeps on the host
}
STEPS = 12


class _Reads(TorchDispatchMode):
    """Counts the readings by the file that asks for them, while `on`."""

    def __init__(self) -> None:
        super().__init__()
        self.on, self.seen = False, Counter[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.on and func._schema.name in READING:
            files = [Path(frame.filename) for frame in traceback.extract_stack()]
            asking = [file for file in files if file.name not in ("_compile.py", "eval_frame.py")][:-1]
            self.seen[asking[-1].name] += 1
        return func(*args, **(kwargs or {}))


class _Steps(pl.Callback):
    """Switches something on for the steps of a training, the last of an epoch apart."""

    def __init__(self, switch: Any) -> None:
        self._switch = switch

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self._switch(trainer.global_step < STEPS - 1)


def _fit(tmp_path: Path, switch: Any, accelerator: str, device_cache: bool | str = "auto") -> None:
    given: dict[str, Any] = {"batch_size": 8, "num_workers": 0, "decode_workers": 0, "seed": 0}
    given["device_cache"] = device_cache
    augment = Augment(flip=0.5, zoom=0.1, shift=0.1, brightness=0.1, contrast=0.1, erase=0.3, mixup=0.3)
    data = FaceData(orl(), augment, cache_dir=str(tmp_path / "cache"), **given)
    embedder = Embedder(ResNet(18, embedding_dim=8, stem="imagenet"), [120.0] * 3, [50.0] * 3)
    head = ArcFace(8, data.images.num_classes, m=0.3, scale=16.0, margin_warmup=1)
    optimizer = partial(AdaBelief, lr=1e-3, rectify=False, print_change_log=False)
    learner = Learner(embedder, head, data.images, optimizer, partial(constant, warmup=0.5))
    pl.Trainer(
        max_epochs=1,
        limit_train_batches=STEPS,
        limit_val_batches=0,
        log_every_n_steps=2,
        gradient_clip_val=5.0,
        callbacks=[EMA(0.9), ProgressBar(refresh_rate=1), _Steps(switch)],
        logger=CSVLogger(tmp_path, "csv"),
        enable_checkpointing=False,
        enable_model_summary=False,
        accelerator=accelerator,
    ).fit(learner, data)


@contextmanager
def _strict() -> Iterator[Any]:
    yield lambda on: torch.cuda.set_sync_debug_mode("error" if on else "default")
    torch.cuda.set_sync_debug_mode("default")


def test_a_step_reads_nothing_but_losses_of_earlier_steps(tmp_path: Path) -> None:
    with _Reads() as reads:
        _fit(tmp_path, partial(setattr, reads, "on"), "cpu")
    assert set(reads.seen) == ON_THE_HOST
    assert reads.seen["finite.py"] == STEPS - 1 - 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU with CUDA")
@pytest.mark.parametrize("device_cache", [True, False])
def test_a_step_never_waits_for_a_gpu(device_cache: bool, tmp_path: Path) -> None:
    with _strict() as switch:
        _fit(tmp_path, switch, "gpu", device_cache)


def test_losses_are_logged_at_their_own_steps_and_the_bar_shows_the_last_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    whole = Learner.training_step

    def training_step(self: Learner, batch: Any, batch_idx: int) -> torch.Tensor:
        losses.append(loss := whole(self, batch, batch_idx))
        return loss

    monkeypatch.setattr(Learner, "training_step", training_step)
    _fit(tmp_path, lambda on: None, "cpu")
    logged = read_metrics(tmp_path / "csv")["train/loss"]
    assert logged == {step: pytest.approx(losses[step].item()) for step in range(1, STEPS, 2)}
    assert f"train/loss={losses[-1].item():.3g}"[:-1] in capsys.readouterr().out
