"""A training step beside the script a good user writes today, and beside the bare network.

python benchmarks/training.py depth=18 stem=imagenet batch=128 classes=8192 steps=2 rounds=5 device=cpu
(device=gpu; compile=True; on a GPU also device_cache=False: crops that do not fit into its memory)
"""

import logging
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import adabelief_pytorch
import numpy as np
import pytorch_lightning as pl
import torch
import torchvision
from pytorch_metric_learning.losses import ArcFaceLoss
from results import Figure, record
from timing import options, seconds_apart
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from facerec.backbones import ResNet
from facerec.data import Augment, Batch, CropDataset, FaceImages
from facerec.data.ahead import AheadLoader
from facerec.data.cache import as_is
from facerec.data.device_cache import DeviceCrops
from facerec.losses import ArcFace
from facerec.models.embedder import Embedder
from facerec.runtime.allocator import keep_freed_memory
from facerec.training import AdaBelief
from facerec.training.learner import Learner
from facerec.training.precision import fastest_precision
from facerec.training.schedules import constant

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
        return adabelief_pytorch.AdaBelief(self.parameters(), **OPTIMIZER)


class Augmented(pl.LightningDataModule):
    """Our loaders and augmentation over crops in memory, on a GPU in that of the GPU if they are cached."""

    def __init__(self, crops: np.ndarray, labels: np.ndarray, batch: int, device: str, cached: bool = True) -> None:
        super().__init__()
        self.batch, self.augment, rows = batch, Augment(flip=0.5), np.arange(len(crops))
        on_gpu = device == "gpu"
        self.ahead = on_gpu and not cached
        self.dataset: CropDataset | DeviceCrops = CropDataset(crops, labels, rows)
        if on_gpu and cached:
            self.dataset = DeviceCrops(crops, labels, rows, torch.device("cuda"))

    def train_dataloader(self) -> DataLoader[Batch]:
        """A batch at a time."""
        loader = AheadLoader if self.ahead else DataLoader
        return loader(
            self.dataset, self.batch, shuffle=True, drop_last=True, collate_fn=as_is, pin_memory=self.ahead
        )

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment on the device."""
        return batch._replace(crops=self.augment(batch.crops))


def fit(model: pl.LightningModule, data: Any, precision: str, device: str) -> Callable[[], None]:
    """One call is one epoch of a model that stays the same."""
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    settings = {"accelerator": device, "devices": 1, "precision": precision, "max_epochs": 1, "logger": False}
    quiet = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}

    def call() -> None:
        pl.Trainer(**settings, **quiet, num_sanity_val_steps=0, limit_val_batches=0).fit(model, data)

    return call


def made_up(given: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Crops of noise, and their classes."""
    random = np.random.default_rng(0)
    count = given["batch"] * given["steps"]
    crops = random.integers(0, 256, (count, 3, 112, 112), dtype=np.uint8)
    return crops, random.integers(0, given["classes"], count)


def facerec(given: dict[str, Any]) -> Callable[[], None]:
    """What the train job does."""
    if given["device"] == "cpu":
        keep_freed_memory()
    embedder = Embedder(ResNet(given["depth"], stem=given["stem"]), [MEAN] * 3, [STD] * 3)
    images = FaceImages("made up", [], np.array(list("aabbccdd")), np.array(["train"] * 4 + ["val"] * 4))
    make = partial(AdaBelief, **OPTIMIZER)
    head = ArcFace(128, given["classes"], m=0.2, scale=None)
    learner = Learner(embedder, head, images, make, constant, compile=given["compile"] == "True")
    data = Augmented(*made_up(given), given["batch"], given["device"], given["device_cache"] == "True")
    return fit(learner, data, fastest_precision(given["device"]), given["device"])


def script(given: dict[str, Any], precision: str) -> Callable[[], None]:
    """What a good user writes today."""
    crops, labels = made_up(given)
    data = TensorDataset(torch.from_numpy(crops), torch.from_numpy(labels))
    loader = DataLoader(data, given["batch"], shuffle=True, drop_last=True)
    return fit(Plain(given["depth"], given["classes"]), loader, precision, given["device"])


def bare(given: dict[str, Any]) -> Callable[[], None]:
    """Forward and backward alone, of crops that are there."""
    device = "cuda" if given["device"] == "gpu" else given["device"]
    if device == "cpu":
        keep_freed_memory()
    net = ResNet(given["depth"], stem=given["stem"]).to(device, memory_format=torch.channels_last)
    crops = torch.randn(given["batch"], 3, 112, 112, device=device)
    reduced = fastest_precision(given["device"]) == "bf16-mixed"

    def call() -> None:
        for _ in range(given["steps"]):
            with torch.autocast(device, torch.bfloat16, enabled=reduced):
                net(crops).sum().backward()
        if device == "cuda":
            torch.cuda.synchronize()

    return call


def main() -> None:
    """Print images/s."""
    given = options(
        **{"depth": 18, "stem": "imagenet", "batch": 128, "classes": 8192, "steps": 2, "rounds": 5},
        **{"device": "cpu", "compile": "False", "device_cache": "True"},
    )
    contenders = {"facerec": partial(facerec, given), "bare network": partial(bare, given)}
    if given["stem"] == "imagenet":  # torchvision has no other
        contenders["script float32"] = partial(script, given, "32-true")
        if fastest_precision(given["device"]) == "bf16-mixed":  # emulated it is 16 times slower: nobody's choice
            contenders["script bf16"] = partial(script, given, "bf16-mixed")
    count = given["batch"] * given["steps"]
    rate = {name: count / time for name, time in seconds_apart(contenders, given["rounds"]).items()}
    ours = rate.pop("facerec")
    how = ", compiled" if given["compile"] == "True" else ""
    how += ", crops not on the GPU" if given["device_cache"] == "False" else ""
    title = "training step, ResNet-{depth}, {stem} stem, batch {batch}, {classes} classes".format(**given)
    goals = {"script float32": 1.7, "script bf16": 1.15, "bare network": 0.95}
    if given["device"] == "gpu":
        goals |= {"script float32": 2.5, "script bf16": 2.5}
    record([Figure(title + how, "images/s", ours, rate, goals)], given["device"])


if __name__ == "__main__":
    main()
