"""A training step beside the script a good user writes today, and beside the bare network.

python benchmarks/training.py depth=18 stem=imagenet batch=128 classes=8192 steps=2 rounds=3 device=cpu
(device=gpu; compile=True)
"""

import logging
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torchvision
from adabelief_pytorch import AdaBelief
from pytorch_metric_learning.losses import ArcFaceLoss
from side_by_side import options, record, seconds
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from facerec.backbones import ResNet
from facerec.data import Augment, Batch, CropDataset, FaceImages
from facerec.data.cache import as_is
from facerec.embedder import Embedder
from facerec.learner import Learner
from facerec.losses import ArcFace
from facerec.precision import fastest_precision
from facerec.schedules import constant

OPTIMIZER = {"lr": 1e-3, "eps": 1e-8, "weight_decouple": False, "rectify": False, "print_change_log": False}
MEAN, STD = 128.0, 64.0


class Plain(pl.LightningModule):
    """torchvision, pytorch-metric-learning and adabelief-pytorch, put together as their pages show it."""

    def __init__(self, depth: int, classes: int) -> None:
        super().__init__()
        self.net = getattr(torchvision.models, f"resnet{depth}")(num_classes=128)
        self.loss = ArcFaceLoss(classes, 128)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Normalise, embed, loss."""
        crops, labels = batch
        loss: Tensor = self.loss(self.net((crops.float() - MEAN) / STD), labels)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdaBelief as its authors set it."""
        return AdaBelief(self.parameters(), **OPTIMIZER)


class Augmented(pl.LightningDataModule):
    """Our loader and augmentation over crops in memory."""

    def __init__(self, crops: np.ndarray, labels: np.ndarray, batch: int) -> None:
        super().__init__()
        self.crops, self.labels, self.batch, self.augment = crops, labels, batch, Augment(flip=0.5)

    def train_dataloader(self) -> DataLoader[Batch]:
        """A batch at a time."""
        dataset = CropDataset(self.crops, self.labels, np.arange(len(self.crops)))
        return DataLoader(dataset, self.batch, shuffle=True, drop_last=True, collate_fn=as_is)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment on the device."""
        return batch._replace(crops=self.augment(batch.crops))


def fit(make: Callable[[], tuple[pl.LightningModule, Any]], precision: str, device: str) -> Callable[[], None]:
    """One call is one epoch of a model that stays the same."""
    model, data = make()
    settings = {"accelerator": device, "devices": 1, "precision": precision, "max_epochs": 1, "logger": False}
    quiet = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}

    def call() -> None:
        pl.Trainer(**settings, **quiet, num_sanity_val_steps=0, limit_val_batches=0).fit(model, data)

    return call


def main() -> None:
    """Print images/s and ratios."""
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    given = options(
        depth=18, stem="imagenet", batch=128, classes=8192, steps=2, rounds=3, device="cpu", compile="False"
    )
    batch, classes, depth = given["batch"], given["classes"], given["depth"]
    count = batch * given["steps"]
    random = np.random.default_rng(0)
    crops = random.integers(0, 256, (count, 3, 112, 112), dtype=np.uint8)
    labels = random.integers(0, classes, count)
    best = fastest_precision(given["device"])
    device = "cuda" if given["device"] == "gpu" else given["device"]

    def ours() -> tuple[pl.LightningModule, Any]:
        embedder = Embedder(ResNet(depth, stem=given["stem"]), [MEAN] * 3, [STD] * 3)
        images = FaceImages("made up", [], np.array(list("aabbccdd")), np.array(["train"] * 4 + ["val"] * 4))
        make = partial(AdaBelief, **OPTIMIZER)
        head = ArcFace(128, classes, m=0.2, scale=None)
        learner = Learner(embedder, head, images, make, constant, compile=given["compile"] == "True")
        return learner, Augmented(crops, labels, batch)

    def plain() -> tuple[pl.LightningModule, Any]:
        data = TensorDataset(torch.from_numpy(crops), torch.from_numpy(labels))
        return Plain(depth, classes), DataLoader(data, batch, shuffle=True, drop_last=True)

    net = ResNet(depth, stem=given["stem"]).to(device, memory_format=torch.channels_last)
    ready = torch.randn(batch, 3, 112, 112, device=device)

    def bare() -> None:
        for _ in range(given["steps"]):
            with torch.autocast(device, torch.bfloat16, enabled=best == "bf16-mixed"):
                net(ready).sum().backward()
        if device == "cuda":
            torch.cuda.synchronize()

    contenders = {"facerec": fit(ours, best, given["device"]), "bare network": bare}
    if given["stem"] == "imagenet":  # torchvision has no other
        contenders["script float32"] = fit(plain, "32-true", given["device"])
        if best == "bf16-mixed":  # emulated it is 16 times slower, and nobody would choose it
            contenders["script bf16"] = fit(plain, "bf16-mixed", given["device"])
    rate = {name: count / time for name, time in seconds(contenders, given["rounds"]).items()}
    ratios = {f"x {name}": rate["facerec"] / value for name, value in rate.items() if name != "facerec"}
    title = f"training step, ResNet-{depth}, {given['stem']} stem, {device}, batch {batch}, {classes} classes"
    named = {f"{name}, images/s": value for name, value in rate.items()}
    record(title, {**named, **ratios}, "1.7 x script float32, 1.15 x script bf16, 0.95 x bare network")


if __name__ == "__main__":
    main()
