import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import facerec
from facerec import model
from facerec.backbones import BACKBONES, Backbone, ResNet
from facerec.embedder import Embedder
from facerec.errors import ModelError

MEAN, STD = (131.04, 103.55, 90.91), (75.3, 68.2, 67.9)
STATISTICS = {"channels": {"mean": list(MEAN), "std": list(STD)}, "thresholds": [{"far": 1e-3, "similarity": 0.31}]}
ORIGIN = {"dataset": "orl", "seed": 0, "places": ["Straße", "東京"]}
CROPS = np.random.default_rng(0).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)


class Small(Backbone):
    """A backbone of a few hundred weights."""

    def __init__(self, width: int = 4, slope: float = 0.1, norm: bool = True, name: str = "small") -> None:
        super().__init__()
        self.options = {"width": width, "slope": slope, "norm": norm, "name": name}
        self.out_features = width
        self.conv = nn.Conv2d(3, width, 8, stride=8)
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.norm(self.conv(x))
        return nn.functional.leaky_relu(features, self.slope).mean(dim=(2, 3))


@pytest.fixture(scope="module", autouse=True)
def register_small() -> Iterator[None]:
    BACKBONES["Small"] = Small
    yield
    del BACKBONES["Small"]


def make(seed: int = 0, **options: Any) -> Embedder:
    """An embedder whose running statistics are not the initial ones."""
    torch.manual_seed(seed)
    embedder = Embedder(Small(**options), MEAN, STD)
    embedder(torch.from_numpy(CROPS))
    return embedder


def save(folder: Path, embedder: Embedder, **origin: Any) -> Path:
    model.save(folder, embedder, statistics=STATISTICS, origin={**ORIGIN, **origin})
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path / "run" / "model", make())


@pytest.fixture(scope="module")
def resnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, stem="imagenet"), MEAN, STD)
    return save(tmp_path_factory.mktemp("resnet") / "model", embedder)


# Saving and loading


def test_a_loaded_model_gives_the_same_vectors(tmp_path: Path) -> None:
    embedder = make(width=6, slope=0.3, name="yes")
    loaded = model.load(str(save(tmp_path / "model", embedder)))
    assert torch.equal(loaded.embed(CROPS), embedder.embed(CROPS))
    assert loaded.backbone.options == embedder.backbone.options
    assert loaded.embedding_dim == 6
    assert not any(module.training for module in loaded.modules())
    torch.testing.assert_close(loaded.state_dict(), embedder.state_dict(), rtol=0, atol=0)


def test_a_resnet_comes_back_whole(resnet_folder: Path) -> None:
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, stem="imagenet"), MEAN, STD)
    assert torch.equal(model.load(resnet_folder).embed(CROPS), embedder.embed(CROPS))


def test_the_folder_holds_plain_files_that_explain_themselves(folder: Path) -> None:
    assert {entry.name for entry in folder.iterdir()} == {"model.yaml", "weights.safetensors", "statistics.json"}
    text = (folder / "model.yaml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "東京" in text
    backbone = {"class": "Small", "width": 4, "slope": 0.1, "norm": True, "name": "small"}
    versions = {"facerec": facerec.__version__, "torch": torch.__version__}
    assert yaml.safe_load(text) == {
        "format": 1,
        "kind": "embedder",
        "backbone": backbone,
        "crop": {"size": 112, "template": "arcface-112", "colour": "RGB"},
        "embedding_dim": 4,
        "origin": {**ORIGIN, **versions},
    }
    assert json.loads((folder / "statistics.json").read_text()) == STATISTICS == model.read_statistics(folder)


def test_saving_and_loading_do_not_move_the_random_numbers(folder: Path) -> None:
    embedder, state = model.load(folder), torch.get_rng_state()
    save(folder, embedder)
    model.load(folder)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.filterwarnings("ignore")
def test_compiled_models_are_saved_under_their_own_names(tmp_path: Path) -> None:
    embedder, plain = make(), make()
    embedder.backbone = torch.compile(embedder.backbone, backend="eager")  # type: ignore[assignment]
    assert any("_orig_mod." in name for name in embedder.state_dict())
    for name, compiled in {"inner": embedder, "both": torch.compile(embedder, backend="eager")}.items():
        loaded = model.load(save(tmp_path / name, compiled))  # type: ignore[arg-type]
        assert loaded.state_dict().keys() == plain.state_dict().keys()
        assert torch.equal(loaded.embed(CROPS), plain.embed(CROPS))


def test_channels_last_and_half_precision_weights_are_stored_plain(tmp_path: Path) -> None:
    embedder = make()
    expected = embedder.embed(CROPS)
    embedder.to(memory_format=torch.channels_last)
    assert not embedder.state_dict()["backbone.conv.weight"].is_contiguous()
    torch.testing.assert_close(model.load(save(tmp_path / "model", embedder)).embed(CROPS), expected)
    halved = model.load(save(tmp_path / "half", embedder.half()))
    assert {value.dtype for value in halved.parameters()} == {torch.float32}
    torch.testing.assert_close(halved.embed(CROPS), expected, atol=0.01, rtol=0)


def test_load_needs_no_job_library_and_the_package_no_torch(resnet_folder: Path) -> None:
    code = f"""
import sys, facerec
assert "torch" not in sys.modules and facerec.__version__
assert {{"load", "Embedder", "__version__"}} <= set(dir(facerec))
from facerec import Embedder, load
assert isinstance(load({str(resnet_folder)!r}), Embedder)
print({{"hydra", "omegaconf", "pytorch_lightning", "lightning", "torchmetrics"}} & set(sys.modules))
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (finished.stdout, finished.returncode) == ("set()\n", 0), finished.stderr


def test_the_package_offers_nothing_else() -> None:
    with pytest.raises(AttributeError, match="'embed'"):
        facerec.embed  # noqa: B018


# The fingerprint


def test_the_fingerprint_follows_what_decides_the_vectors(tmp_path: Path) -> None:
    first = model.fingerprint(save(tmp_path / "first", make()))
    assert len(first) == 64
    assert int(first, 16) >= 0
    model.save(tmp_path / "again", model.load(tmp_path / "first"), statistics={"x": 1}, origin={"seed": 9})
    assert model.fingerprint(tmp_path / "again") == first
    others = [make(seed=1), make(slope=0.2), make(name="other"), make()]
    others[3].mean[0] += 1
    prints = [model.fingerprint(save(tmp_path / f"other{i}", embedder)) for i, embedder in enumerate(others)]
    assert len({first, *prints}) == 5


# What is refused when loading


def rewrite(folder: Path, **changes: Any) -> None:
    contract = yaml.safe_load((folder / "model.yaml").read_text())
    (folder / "model.yaml").write_text(yaml.safe_dump({**contract, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format is 2"),
        ({"format": True}, "format is True"),
        ({"kind": "classifier"}, "kind is 'classifier'"),
        ({"crop": {"size": 96, "template": "arcface-112", "colour": "RGB"}}, "crop is .*96.*wants .*112"),
        ({"crop": None}, "crop is None"),
        ({"embedding_dim": 5}, "embedding_dim is 5, .* gives 4"),
        ({"_target_": "os.system"}, "'_target_' is unknown"),
        ({1: 2}, "1 is unknown"),
        ({"backbone": "Small"}, "backbone.class must be one of ResNet"),
        ({"backbone": {"class": "os.system"}}, "backbone.class .* not 'os.system'"),
        ({"backbone": {"class": ["Small"]}}, "backbone.class"),
        ({"backbone": {"class": "Small", "width": 4, "slope": 0.1, "norm": True}}, "backbone.name is missing"),
        (
            {"backbone": {"class": "Small", "width": 4, "slope": 0.1, "norm": True, "name": "", "_target_": "x"}},
            "backbone.'_target_' is unknown",
        ),
        (
            {"backbone": {"class": "Small", "width": 4.0, "slope": 0.1, "norm": True, "name": ""}},
            "backbone.width must be of type int, not 4.0",
        ),
        (
            {"backbone": {"class": "Small", "width": True, "slope": 0.1, "norm": True, "name": ""}},
            "backbone.width must be of type int, not True",
        ),
        (
            {
                "backbone": {
                    "class": "ResNet",
                    "depth": 19,
                    "embedding_dim": 8,
                    "stem": "face",
                    "final_fc": True,
                    "final_relu": False,
                }
            },
            "backbone.depth must be one of 18, 34, 50, not 19",
        ),
    ],
)
def test_a_contract_we_cannot_keep_is_refused_by_key(folder: Path, changes: dict[Any, Any], message: str) -> None:
    rewrite(folder, **{}) if not changes else rewrite_any(folder, changes)
    with pytest.raises(ModelError, match=message) as caught:
        model.load(folder)
    assert str(folder / "model.yaml") in str(caught.value)


def rewrite_any(folder: Path, changes: dict[Any, Any]) -> None:
    contract = yaml.safe_load((folder / "model.yaml").read_text())
    (folder / "model.yaml").write_text(yaml.safe_dump({**contract, **changes}))
