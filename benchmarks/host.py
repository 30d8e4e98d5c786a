"""What a training step costs the host beside the network: on a GPU, time in which it may wait for the next step.

python benchmarks/host.py depth=50 batch=2 steps=300 rounds=5

The network is one layer with as many parameters as a ResNet of that depth, of one number each, so that computing
costs next to nothing and everything around it shows: loader, augmentation, Lightning, logs, optimizer.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import adabelief_pytorch
import numpy as np
import torch
from results import Figure, record
from timing import options, seconds_apart
from torch import Tensor, nn
from training import MEAN, OPTIMIZER, STD, Augmented, fit, made_up

from facerec.backbones import ResNet
from facerec.backbones.base import Backbone
from facerec.data import FaceImages
from facerec.losses import ArcFace
from facerec.models.embedder import Embedder
from facerec.training import AdaBelief
from facerec.training.learner import Learner
from facerec.training.schedules import constant


class OneLayer(Backbone):
    """Mean colours times a matrix, plus all the numbers of a deep network's parameter list."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.options, self.out_features = {"depth": depth}, 128
        self.layer = nn.Linear(3, self.out_features)
        more = len(list(ResNet(depth).parameters())) - 2
        self.numbers = nn.ParameterList([nn.Parameter(torch.zeros(1)) for _ in range(more)])

    def forward(self, crops: Tensor) -> Tensor:
        """`float [N, 3, H, W]` → `float [N, 128]`."""
        features: Tensor = self.layer(crops.mean(dim=(2, 3))) + torch.cat(list(self.numbers)).sum()
        return features


def _parts(given: dict[str, Any]) -> tuple[Embedder, ArcFace]:
    return Embedder(OneLayer(given["depth"]), [MEAN] * 3, [STD] * 3), ArcFace(128, 8, m=0.2, scale=None)


def facerec(given: dict[str, Any], optimizer: type[torch.optim.Optimizer]) -> Callable[[], None]:
    """What the train job does."""
    embedder, head = _parts(given)
    images = FaceImages("made up", [], np.array(list("aabbccdd")), np.array(["train"] * 4 + ["val"] * 4))
    learner = Learner(embedder, head, images, partial(optimizer, **OPTIMIZER), constant)
    return fit(learner, Augmented(*made_up({**given, "classes": 8}), given["batch"], "cpu"), "32-true", "cpu")


def alone(given: dict[str, Any]) -> Callable[[], None]:
    """Forward and backward of embedder and head."""
    embedder, head = _parts(given)
    crops, labels = (torch.from_numpy(part) for part in made_up({**given, "classes": 8}))

    def call() -> None:
        for step in range(given["steps"]):
            rows = slice(step * given["batch"], (step + 1) * given["batch"])
            head(embedder.features(crops[rows]), labels[rows]).loss.backward()

    return call


def main() -> None:
    """Print milliseconds a step."""
    given = options(depth=50, batch=2, steps=300, rounds=5)
    contenders = {
        "facerec": partial(facerec, given, AdaBelief),
        "with the package's AdaBelief": partial(facerec, given, adabelief_pytorch.AdaBelief),
        "network alone": partial(alone, given),
    }
    step = {name: 1e3 * time / given["steps"] for name, time in seconds_apart(contenders, given["rounds"]).items()}
    network, ours = step.pop("network alone"), step.pop("facerec")
    what = "host's time a training step, parameters of ResNet-{depth}, batch {batch}".format(**given)
    beside = {name: value - network for name, value in step.items()}
    record([Figure(what, "ms", ours - network, beside, limit=1.5, less=True)])


if __name__ == "__main__":
    main()
