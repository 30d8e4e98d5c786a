"""Pickled weights become an ONNX file once; after that torch is not needed."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from facerec.backbones import MobileFaceNet
from facerec.errors import ModelError
from facerec.models.catalogue.cache import converted_file, weights_file
from facerec.models.catalogue.conversion import network_file
from facerec.models.catalogue.entry import Source
from facerec.models.ready_made_model import ReadyMadeModel
from tests.models.catalogue.file_server import FileServer
from tests.models.catalogue.test_fetch import entry_of
from tests.models.catalogue.test_pickled_module import OLD_FORM, save_as_torch_did


@OLD_FORM
def test_a_pickled_network_embeds_as_it_does_in_torch(
    server: FileServer, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = MobileFaceNet(embedding_dim=16)
    network.train()(torch.randn(4, 3, 112, 112))  # which moves the running statistics
    crops = torch.randint(0, 256, (3, 3, 112, 112), dtype=torch.uint8)
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(network.eval()((crops.flip(1).float() - 127.5) / 128))
    with monkeypatch.context() as patch:
        save_as_torch_did(network, tmp_path / "net.pkl", patch)
    content = (tmp_path / "net.pkl").read_bytes()
    server.files["/net.pkl"] = content
    source = Source(url=f"{server.url}/net.pkl")
    fed = {"embedding_dim": 16, "colour": "BGR", "mean": 127.5, "std": 128}
    entry = entry_of(source, content=content, pickled=True, **fed)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnxscript", None)  # as where the extra is not installed
        with pytest.raises(ModelError, match=r"needs torch: install facerec\[train\], or copy .*tiny\.\w{8}\.onnx"):
            network_file(entry)
    file = network_file(entry)
    assert file == converted_file(entry)
    assert entry.sha256[:8] in file.name
    vectors = ReadyMadeModel(entry, file, "cpu").embed(crops.numpy())
    np.testing.assert_allclose(vectors, expected.numpy(), atol=1e-5)
    weights_file(entry).unlink()
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert network_file(entry, offline=True) == file
    assert len(server.visits) == 1
