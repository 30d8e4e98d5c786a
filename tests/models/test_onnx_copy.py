import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from facerec.backbones import TimmNetwork
from facerec.errors import ModelError
from facerec.models import Embedder, Ensemble, load, open_model
from facerec.models.crop_model import CropModel
from facerec.models.folder import fingerprint
from facerec.models.onnx_export import traced
from facerec.models.store import save

CROPS = np.random.default_rng(0).integers(0, 256, (70, 3, 112, 112), dtype=np.uint8)


@pytest.fixture
def folder(folder_with_copy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder_with_copy, tmp_path / "model"))


def test_it_gives_the_vectors_of_the_network_and_moves_with_its_folder(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = load(folder).embed(CROPS)
    opened = open_model(folder, "cpu")
    with caplog.at_level(logging.INFO):
        np.testing.assert_allclose(opened.embed(CROPS), wanted, atol=1e-5, rtol=0)
        for count in (0, 1, 3):
            np.testing.assert_allclose(opened.embed(CROPS[:count]), wanted[:count], atol=1e-5, rtol=0)
    assert "for ONNX Runtime" not in caplog.text
    with pytest.raises(ValueError, match="uint8"):
        opened.embed(CROPS.astype(np.float32))
    assert {file.name for file in folder.iterdir()} == {
        *("model.yaml", "weights.safetensors", "statistics.json", "model.onnx")
    }


def test_a_damaged_copy_and_one_of_other_weights_are_made_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = folder / "model.onnx"
    whole = copy.read_bytes()
    copy.write_bytes(whole[:1000])
    wanted = load(folder).embed(CROPS[:2])
    np.testing.assert_allclose(open_model(folder, "cpu").embed(CROPS[:2]), wanted, atol=1e-5, rtol=0)
    assert "is damaged" in caplog.text

    single = load(folder)
    assert isinstance(single, Ensemble)
    first = single.embedders[0]
    assert isinstance(first, Embedder)
    save(folder, first, statistics={}, origin={})  # what is saved anew has no copy yet
    assert not copy.exists()
    copy.write_bytes(whole)
    wanted = load(folder).embed(CROPS[:2])
    np.testing.assert_allclose(open_model(folder, "cpu").embed(CROPS[:2]), wanted, atol=1e-5, rtol=0)
    assert "is a copy of another model" in caplog.text


def test_where_the_folder_is_read_only_the_copy_is_in_the_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = (folder / "model.onnx").rename(tmp_path / "copy.onnx")
    # root may write anywhere, so the system is asked in its name
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder)
    cached = tmp_path / "cache" / "onnx" / f"{fingerprint(folder)}.onnx"
    cached.parent.mkdir(parents=True)
    copy.rename(cached)
    assert open_model(folder, "cpu", tmp_path / "cache").embed(CROPS[:2]).shape == (2, 12)
    assert not (folder / "model.onnx").exists()

    cached.unlink()
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cache_dir"):
        open_model(folder, "cpu", tmp_path / "file").embed(CROPS[:2])


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is nothing at"):
        open_model(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"model\.yaml: is missing"):
        open_model(tmp_path)


def test_our_networks_are_written_by_the_quick_exporter(folder_with_copy: Path) -> None:
    assert traced(load(folder_with_copy)) is not None


def test_what_the_quick_exporter_does_not_know_is_written_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    network = TimmNetwork("vit_tiny_patch16_224", embedding_dim=8)
    save(tmp_path / "vit", Embedder(network, [120.0] * 3, [60.0] * 3).eval(), statistics={}, origin={})
    with caplog.at_level(logging.DEBUG):
        vectors = open_model(tmp_path / "vit", "cpu").embed(CROPS[:3])
    assert "the older exporter can't write this network" in caplog.text
    np.testing.assert_allclose(vectors, load(tmp_path / "vit").embed(CROPS[:3]), atol=1e-5, rtol=0)


class _Odd(CropModel):
    """Goes one way with dark crops, which those that it is recorded with are, and another way with bright ones."""

    embedding_dim = 2
    unit: Tensor

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.register_buffer("unit", torch.eye(2))
        self.limit = limit

    def forward(self, crops: Tensor) -> Tensor:
        row = 0 if crops.float().mean() < self.limit else 1
        return self.unit[row].expand(len(crops), 2)


def test_no_way_that_depends_on_the_crops_is_recorded() -> None:
    assert traced(_Odd(limit=100.0)) is None
    assert traced(_Odd(limit=300.0)) is None  # which random crops would not tell from a straight way
