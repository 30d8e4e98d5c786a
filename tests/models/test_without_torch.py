"""Models are used where neither PyTorch nor what comes with it is installed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facerec.models import load, open_model
from tests.models.test_onnx_model import matrix, write_network, written

CROPS = np.random.default_rng(0).integers(0, 256, (5, 3, 112, 112), dtype=np.uint8)

WITHOUT = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "onnx", "onnxscript", "pytorch_lightning"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
"""
EMBED = """
import json
from dataclasses import replace
import numpy as np
import facerec

model = facerec.open_model(sys.argv[1], sys.argv[2])
np.save(sys.argv[4], model.embed(np.load(sys.argv[3])))
model.store(replace(model.statistics, evaluated_on={"dataset": "celeba"}))
print(json.dumps([model.fingerprint, model.dim, model.trained_on, dict(model.origin)]))
"""
OPEN = """
import numpy as np
import facerec
from facerec.errors import FacerecError

try:
    facerec.open_model(sys.argv[1]).embed(np.zeros((1, 3, 112, 112), np.uint8))
except FacerecError as error:
    print(type(error).__name__, error)
"""


def without_torch(code: str, *arguments: str | Path) -> str:
    """What is printed by code that runs where there is no torch; it has `sys`."""
    command = [sys.executable, "-c", WITHOUT + code, *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture
def folder(folder_with_copy: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(folder_with_copy, tmp_path / "model"))


@pytest.mark.parametrize("kind", ["folder", "contract"])
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_model_is_the_same(kind: str, device: str, folder: Path, tmp_path: Path) -> None:
    path = folder
    if kind == "contract":
        write_network(tmp_path / "net.onnx", matrix())
        path = written(tmp_path)
    np.save(tmp_path / "crops.npy", CROPS)
    printed = without_torch(EMBED, path, device, tmp_path / "crops.npy", tmp_path / "vectors.npy")
    model = open_model(path, "cpu")
    assert json.loads(printed) == [model.fingerprint, model.dim, model.trained_on, model.origin]
    assert model.statistics.evaluated_on == {"dataset": "celeba"}
    vectors = np.load(tmp_path / "vectors.npy")
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, model.embed(CROPS), atol=1e-6, rtol=0)
    if kind == "folder":
        np.testing.assert_allclose(vectors, load(folder).embed(CROPS), atol=1e-5, rtol=0)


@pytest.mark.parametrize("state", ["missing", "damaged", "of other weights"])
def test_without_an_intact_copy_it_says_what_is_needed_once(state: str, folder: Path) -> None:
    copy = folder / "model.onnx"
    if state == "missing":
        copy.unlink()
    elif state == "damaged":
        copy.write_bytes(copy.read_bytes()[:1000])
    else:
        weights = folder / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert without_torch(OPEN, folder) == (
        f"ModelError {folder}: its model.onnx is still to be written, and torch is needed for that once: install "
        "facerec[train], or open the model once where that is installed\n"
    )


def test_a_contract_that_only_a_network_can_refuse_is_no_way_around_the_copy(folder: Path) -> None:
    """Without torch nobody knows the backbones, but the fingerprint holds them."""
    contract = folder / "model.yaml"
    contract.write_text(contract.read_text().replace("class: ResNet", "class: Other"))
    assert "its model.onnx is still to be written" in without_torch(OPEN, folder)
    for spoilt, message in (
        ("embedding_dim: twelve", "embedding_dim must be of type int, not 'twelve'"),
        ("kind: committee", "kind is 'committee'"),
    ):
        key = spoilt.partition(":")[0]
        lines = contract.read_text().splitlines()
        contract.write_text("\n".join(spoilt if line.startswith(f"{key}:") else line for line in lines))
        assert f"ModelError {contract}: {message}" in without_torch(OPEN, folder)


def test_importing_the_room_costs_nothing() -> None:
    code = "import facerec.models\nprint({'numpy', 'onnxruntime', 'yaml', 'torch'} & set(sys.modules))"
    assert without_torch(code) == "set()\n"
