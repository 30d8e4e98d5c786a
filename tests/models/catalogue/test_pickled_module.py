"""Tensors of a pickled module are read as torch reads them, and nothing else that the file says is done."""

import io
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facerec.backbones import MobileFaceNet
from facerec.errors import ModelError
from facerec.models.catalogue.pickled_module import read_tensors

OLD_FORM = pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")


def save_as_torch_did(module: nn.Module, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch before 1.6, of classes that lie where FaceX-Zoo's lie."""
    place = ModuleType("models.network_def.mobilefacenet_def")
    for name in ("models", "models.network_def", place.__name__):
        monkeypatch.setitem(sys.modules, name, place)
    for part in {type(part) for part in module.modules() if type(part).__module__.startswith("facerec.")}:
        setattr(place, part.__name__, part)
        monkeypatch.setattr(part, "__module__", place.__name__)
    torch.save(nn.DataParallel(module), file, _use_new_zipfile_serialization=False)


@OLD_FORM
def test_all_tensors_are_those_of_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = MobileFaceNet(embedding_dim=16)
    network.train()(torch.randn(4, 3, 112, 112))  # which moves the running statistics
    save_as_torch_did(network, tmp_path / "net.pkl", monkeypatch)
    found = read_tensors(tmp_path / "net.pkl")
    wanted = network.state_dict()
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value.numpy())


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("open('stolen', 'w')",)


MAGIC = 0x1950A86A20F9469CFC6C


def pickled(*values: Any) -> bytes:
    file = io.BytesIO()
    for value in values:
        pickle.dump(value, file, protocol=2)
    return file.getvalue()


class Typed(pickle.Pickler):
    """Writes a value that claims to be a storage."""

    def persistent_id(self, value: Any) -> Any:
        return value.pid if isinstance(value, Claim) else None


class Claim:
    def __init__(self, *pid: Any) -> None:
        self.pid = pid


def claiming(*pid: Any) -> bytes:
    file = io.BytesIO()
    Typed(file, protocol=2).dump(Claim(*pid))
    return pickled(MAGIC, 1001, {}) + file.getvalue() + pickled([])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickled(Evil()), "is refused: it names __builtin__.exec"),
        (pickled(MAGIC, 1001, {}, {"weight": Evil()}, []), "is refused: it names __builtin__.exec"),
        (pickled(MAGIC, 1001, {}, [torch.nn.functional.relu], []), "is refused: it names torch.nn.functional.relu"),
        (pickled(MAGIC, 1001, {}, [print], []), "is refused: it names __builtin__.print"),
        (claiming("storage", torch.FloatStorage, "0", "cpu", 10**12, None), "a storage of 1000000000000 values"),
        (claiming("storage", torch.FloatStorage, "0", "cpu", -1, None), "a storage of -1 values"),
        (pickled(1, 2, 3), "is not a file that torch wrote before version 1.6"),
        (b"", "is damaged"),
        (b"PK\x03\x04 a newer file", "is damaged"),
    ],
)
def test_anything_else_is_refused(
    content: bytes, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.pkl").write_bytes(content)
    with pytest.raises(ModelError) as refused:
        read_tensors(tmp_path / "net.pkl")
    assert reason in str(refused.value)
    assert str(refused.value).startswith(f"{tmp_path / 'net.pkl'}: ")
    assert not (tmp_path / "stolen").exists()


@OLD_FORM
def test_a_cut_file_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "net.pkl"
    save_as_torch_did(MobileFaceNet(embedding_dim=4), file, monkeypatch)
    whole = file.read_bytes()
    for length in (100, 50_000, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="is damaged"):
            read_tensors(file)
