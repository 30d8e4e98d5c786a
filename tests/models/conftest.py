"""A model folder with its ONNX copy, which takes seconds to write."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facerec.backbones import ResNet
from facerec.models import Embedder, Ensemble, open_model
from facerec.models.store import save


@pytest.fixture(scope="session")
def folder_with_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ensemble of two small networks."""
    torch.manual_seed(0)
    nets = [
        ResNet(18, embedding_dim=8, stem="imagenet"),
        ResNet(18, embedding_dim=4, stem="imagenet", final_relu=True),
    ]
    members = {f"{net.out_features}": Embedder(net, (120, 110, 100), (70, 70, 70)) for net in nets}
    folder = tmp_path_factory.mktemp("copy") / "model"
    save(folder, Ensemble(members, [0.25, 0.75]).eval(), statistics={"evaluated_on": {"dataset": "orl"}}, origin={})
    open_model(folder, "cpu").embed(np.zeros((1, 3, 112, 112), np.uint8))
    return folder
