"""An embedder from elsewhere: an ONNX file and a contract beside it that says how to feed it.

    weights: w600k_r50.onnx    # beside the contract
    embedding_dim: 512
    colour: RGB                # or BGR: the order of the channels it wants
    mean: 127.5                # (value - mean) / std, of crops in 0..255
    std: 127.5

The crops are those of this package: 112×112, five landmarks on the ArcFace template. Evaluation writes `thresholds`
and `calibration` into a `statistics.json` beside the contract. Functions are named as in `facerec.model`.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from facerec import model
from facerec.atomic import replace_file
from facerec.embedding import CropModel, check_crops
from facerec.errors import ModelError
from facerec.onnx_session import open_session

_KEYS: dict[str, type | tuple[type, ...]] = {
    "weights": str,
    "embedding_dim": int,
    "colour": str,
    "mean": (int, float),
    "std": (int, float),
}


class Peer(CropModel):
    """Maps crops to unit vectors with onnxruntime, on the CPU, wherever the crops are.

    Args:
        path: of the contract.

    Raises:
        ModelError: a file is missing or damaged, or the contract lacks a key.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.register_buffer("place", torch.empty(0), persistent=False)  # onnxruntime keeps the weights
        self._path, self._terms = path, _read_contract(path)
        weights = path.parent / self._terms["weights"]
        try:
            self._session = open_session(weights)
        except Exception as error:  # onnxruntime's own errors share no base
            raise ModelError(f"{weights}: is missing or no ONNX model ({error})") from error
        self._input, self._output = self._session.get_inputs()[0], self._session.get_outputs()[0].name

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        dim: int = self._terms["embedding_dim"]
        return dim

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings: `uint8 [N, 3, 112, 112]` → `float32 [N, d]` of unit length.

        Raises:
            ModelError: the network wants another size, or gives other vectors than the contract says.
            ValueError: `crops` is not a batch of `uint8` crops.
        """
        check_crops(crops)
        vectors = torch.empty(len(crops), self.embedding_dim)
        step = 1 if self._input.shape[0] == 1 else 64  # a network exported for one crop takes one
        for start in range(0, len(crops), step):
            part = slice(start, start + step)
            try:
                vectors[part] = torch.nn.functional.normalize(self._run(crops[part]))
            except Exception as error:
                raise ModelError(
                    f"{self._path}: the network can't be fed as its contract says ({error})"
                ) from error
        return vectors

    def _run(self, crops: Tensor) -> Tensor:
        values, terms = crops.cpu().numpy().astype(np.float32), self._terms
        values = values[:, ::-1] if terms["colour"] == "BGR" else values
        values = (values - np.float32(terms["mean"])) / np.float32(terms["std"])
        [output] = self._session.run([self._output], {self._input.name: np.ascontiguousarray(values)})
        return torch.from_numpy(np.asarray(output, np.float32))


def load(path: Path, device: str | torch.device = "cpu") -> Peer:
    """The network of a contract; it computes on the CPU whatever `device` is.

    Raises:
        ModelError: as `Peer`.
    """
    return Peer(path)


def fingerprint(path: Path) -> str:
    """SHA-256, in hex, of what decides the vectors: the contract's values and the weights.

    Raises:
        ModelError: as `Peer`, except that the weights are not looked into.
    """
    terms = _read_contract(path)
    digest = hashlib.sha256(json.dumps(terms, sort_keys=True).encode())
    weights = path.parent / terms["weights"]
    try:
        digest.update(weights.read_bytes())
    except OSError as error:
        raise ModelError(f"{weights}: can't be read ({error})") from error
    return digest.hexdigest()


def embedding_dim(path: Path) -> int:
    """Length of its vectors, as the contract says.

    Raises:
        ModelError: the contract is missing or lacks a key.
    """
    dim: int = _read_contract(path)["embedding_dim"]
    return dim


def read_statistics(path: Path) -> dict[str, Any]:
    """Those beside the contract; none if there is no file.

    Raises:
        ModelError: the file is damaged.
    """
    return model.read_statistics(path.parent) if (path.parent / "statistics.json").exists() else {}


def write_statistics(path: Path, statistics: Mapping[str, Any]) -> None:
    """Replace those beside the contract, whole or not at all.

    Raises:
        ModelError: the disk refuses.
    """
    file = path.parent / "statistics.json"
    try:
        replace_file(file, (json.dumps(statistics, indent=1) + "\n").encode())
    except OSError as error:
        raise ModelError(f"{file}: can't be written ({error}); free space there") from error


def _read_contract(path: Path) -> dict[str, Any]:
    try:
        terms = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise ModelError(f"{path}: is no contract that can be read: {error}") from error
    terms = terms if isinstance(terms, dict) else {}
    for key, kind in _KEYS.items():
        if not isinstance(terms.get(key), kind):
            raise ModelError(
                f"{path}: {key} is missing or of the wrong type; facerec/gallery/peer.py shows a contract"
            )
    if terms["colour"] not in ("RGB", "BGR"):
        raise ModelError(f"{path}: colour must be RGB or BGR, not {terms['colour']}")
    return {key: terms[key] for key in _KEYS}
