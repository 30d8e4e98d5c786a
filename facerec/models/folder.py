"""The files of a model folder: contract, weights, statistics, a copy for ONNX Runtime, … Needs no torch."""

import hashlib
import json
from collections.abc import Mapping
from glob import escape
from pathlib import Path
from typing import Any

from facerec.errors import ModelError
from facerec.models import contract
from facerec.runtime.files import replace_file

CONTRACT, WEIGHTS, STATISTICS = "model.yaml", "weights.safetensors", "statistics.json"
CARD = "README.md"  # what the model is for, how good it is and its limits: see `facerec.report.card`
MEMBERS = "members"  # a folder: the ONNX files of members that came as such
TEACHER = "teacher.safetensors"  # the axes that a teacher's vectors are projected to, where they are longer
ONNX = "model.onnx"  # a copy of the network for ONNX Runtime: see `onnx_copy`
ONNX_FINGERPRINT = "facerec.fingerprint"  # key of the model's fingerprint in the metadata of that copy


def read_statistics(folder: str | Path) -> dict[str, Any]:
    """The values that `store.save` or `write_statistics` was given.

    Raises:
        ModelError: the file is missing or damaged.
    """
    path = Path(folder) / STATISTICS
    try:
        statistics = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is damaged ({error}); copy or save the model again") from error
    if not isinstance(statistics, dict):
        raise ModelError(f"{path}: must hold an object, not {type(statistics).__name__}")
    return statistics


def read_card(folder: str | Path) -> str:
    """The card of a model folder, or of a run that holds one.

    Raises:
        ModelError: there is no model, or it has no card yet.
    """
    folder = Path(folder).expanduser()
    folder = folder / "model" if (folder / "model" / CONTRACT).is_file() else folder
    file = folder / CARD
    if folder.is_dir() and not file.is_file():
        raise ModelError(f"{folder}: has no card yet; `facerec evaluate model={folder}` writes it")
    return read_file(file).decode(errors="replace")


def read_contract(folder: str | Path) -> dict[str, Any]:
    """The checked content of `model.yaml`.

    Raises:
        ModelError: it is missing, damaged or of another format.
    """
    folder = Path(folder)
    return contract.parse(read_file(folder / CONTRACT), folder / CONTRACT)


def fingerprint(folder: str | Path) -> str:
    """SHA-256, in hex, of what decides the vectors: kind, backbones or ONNX networks, crop and weights.

    Raises:
        ModelError: the contract or the weights can't be read; the weights are not checked.
    """
    folder = Path(folder)
    return digest(read_contract(folder), read_file(folder / WEIGHTS))


def write_statistics(folder: str | Path, statistics: Mapping[str, Any]) -> None:
    """Replace the statistics of a model folder, completely or not at all, and nothing else.

    Args:
        folder: as written by `store.save`.
        statistics: all of them, those that stay included: whatever JSON can hold.

    Raises:
        ModelError: there is no model at `folder`, the values are not plain, or the disk refuses.
    """
    folder = Path(folder).resolve()
    read_contract(folder)
    content = as_json(statistics, folder)
    try:
        replace_file(folder / STATISTICS, content)
    except OSError as error:
        raise ModelError(f"{folder / STATISTICS}: can't be written ({error}); free space there") from error


def digest(terms: Mapping[str, Any], weights: bytes) -> str:
    """The fingerprint of a model with this contract and this content of `weights.safetensors`."""
    hashed = hashlib.sha256(json.dumps(contract.fingerprinted(terms), sort_keys=True).encode())
    hashed.update(weights)
    return hashed.hexdigest()


def read_file(path: Path) -> bytes:
    """The content of a file of a model folder.

    Raises:
        ModelError: it is missing or can't be read; the message says where else the model may be.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: is missing; {_cure(path.parent)}") from error
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error}); check its permissions and the disk") from error


def _cure(folder: Path) -> str:
    if any(folder.glob(f"model/{CONTRACT}")):
        return f"{folder} is a run, its model is {folder / 'model'}"
    if aside := sorted(folder.parent.glob(f".{escape(folder.name)}.*.old")):
        return f"a save was killed while it moved the previous model: rename {aside[-1]} to {folder}"
    return "give a folder that facerec.models.store.save wrote, or save the model again"


def as_json(statistics: Mapping[str, Any], folder: Path) -> bytes:
    """The content of `statistics.json`.

    Raises:
        ModelError: a value is not plain.
    """
    try:
        return (json.dumps(statistics, indent=1) + "\n").encode()
    except (TypeError, ValueError) as error:
        message = f"statistics must be plain numbers, strings, lists and dicts: {error}"
        raise ModelError(f"{folder}: {message}") from error
