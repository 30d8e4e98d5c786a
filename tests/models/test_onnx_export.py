import logging
from pathlib import Path

import pytest
import torch

from facerec.backbones import ResNet
from facerec.errors import ModelError
from facerec.models import Ensemble, load
from facerec.models.embedder import Embedder
from facerec.models.onnx_export import CpuEmbedder
from facerec.models.store import save


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    nets = [ResNet(18, embedding_dim=8, stem="imagenet"), ResNet(18, embedding_dim=4, final_relu=True)]
    members = {f"{net.out_features}": Embedder(net, (120, 110, 100), (70, 70, 70)) for net in nets}
    folder = tmp_path_factory.mktemp("cpu") / "model"
    save(folder, Ensemble(members, [0.25, 0.75]).eval(), statistics={}, origin={})
    return folder


def test_it_says_what_the_model_says_and_is_written_once(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    crops = torch.randint(0, 256, (70, 3, 112, 112), dtype=torch.uint8)
    crops[0] = 0
    wanted = load(folder).embed(crops)
    torch.testing.assert_close(CpuEmbedder(folder, tmp_path)(crops), wanted, atol=1e-5, rtol=0)
    [file] = tmp_path.glob("onnx/*.onnx")
    written = file.stat().st_mtime_ns
    again = CpuEmbedder(folder, tmp_path)
    for count in (0, 1, 3):
        torch.testing.assert_close(again(crops[:count]), wanted[:count], atol=1e-5, rtol=0)
    assert file.stat().st_mtime_ns == written
    with pytest.raises(ValueError, match="uint8"):
        again(crops.float())

    file.write_bytes(file.read_bytes()[:1000])
    with caplog.at_level(logging.WARNING):
        torch.testing.assert_close(CpuEmbedder(folder, tmp_path)(crops[:2]), wanted[:2], atol=1e-5, rtol=0)
    assert "is damaged" in caplog.text


def test_what_it_can_not_do_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="missing"):
        CpuEmbedder(tmp_path / "nowhere", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cache_dir"):
        CpuEmbedder(folder, tmp_path / "file")
