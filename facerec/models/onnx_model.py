"""An embedder from elsewhere: an ONNX file and a contract beside it that says how to feed it.

    weights: w600k_r50.onnx    # beside the contract
    embedding_dim: 512
    colour: RGB                # or BGR: the order of the channels it wants
    mean: 127.5                # (value - mean) / std, of crops in 0..255
    std: 127.5
    output: embedding          # only where several outputs are of that length

The crops are those of this package: 112×112, five landmarks on the ArcFace template. Evaluation writes `thresholds`
and `calibration` into a `statistics.json` beside the contract. Functions are named as in `facerec.models.store`.
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

from facerec.crops.contract import CROP_SIZE
from facerec.errors import ModelError
from facerec.models import store as model
from facerec.models.base import CropModel, check_crops
from facerec.models.external_files import external_files
from facerec.runtime.files import replace_file
from facerec.runtime.onnx_session import open_session

_KEYS: dict[str, type | tuple[type, ...]] = {
    "weights": str,
    "embedding_dim": int,
    "colour": str,
    "mean": (int, float),
    "std": (int, float),
}
_OPTIONAL: dict[str, type] = {"output": str}
_CROP = [3, CROP_SIZE, CROP_SIZE]

_Shape = list[int | str | None]  # a size that is left open has a name or none; empty where the rank is open


class Peer(CropModel):
    """Maps crops to unit vectors with onnxruntime, on the CPU, wherever the crops are.

    Args:
        path: of the contract.

    Raises:
        ModelError: a file is missing or damaged, the contract lacks a key, or the network is not as it says; names
            the file and the key.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.register_buffer("place", torch.empty(0), persistent=False)  # onnxruntime keeps the weights
        self._path, self._terms = path, _read_contract(path)
        self._weights = path.parent / self._terms["weights"]
        self._session = _open(self._weights)
        self._input, self._batch = self._check_input()
        self._output = self._choose_output()
        self.forward(torch.zeros(1, *_CROP, dtype=torch.uint8))  # or the first photo would tell

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        dim: int = self._terms["embedding_dim"]
        return dim

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings: `uint8 [N, 3, 112, 112]` → `float32 [N, d]` of unit length; NaN and zero stay.

        Raises:
            ModelError: the network refuses the crops, or gives other vectors than the contract says.
            ValueError: `crops` is not a batch of `uint8` crops.
        """
        check_crops(crops)
        vectors = torch.empty(len(crops), self.embedding_dim)
        for start in range(0, len(crops), self._batch):
            part = slice(start, start + self._batch)
            vectors[part] = torch.nn.functional.normalize(self._run(crops[part]))
        return vectors

    def _run(self, crops: Tensor) -> Tensor:
        values, terms = crops.cpu().numpy().astype(np.float32), self._terms
        values = values[:, ::-1] if terms["colour"] == "BGR" else values
        values = (values - np.float32(terms["mean"])) / np.float32(terms["std"])
        try:
            [output] = self._session.run([self._output], {self._input: np.ascontiguousarray(values)})
        except Exception as error:  # as in `_open`
            raise ModelError(f"{self._weights}: the network refuses {len(crops)} crops ({error})") from error
        if np.shape(output) != (len(crops), self.embedding_dim):
            raise self._unfit("embedding_dim", f"{self._output} is {list(np.shape(output))} of {len(crops)} crops")
        return torch.from_numpy(np.asarray(output, np.float32))

    def _check_input(self) -> tuple[str, int]:
        """Name of the input, and how many crops it takes at once."""
        inputs = self._session.get_inputs()
        listed = ", ".join(f"{one.name} {one.shape} {one.type}" for one in inputs)
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or not _fits(inputs[0].shape, _CROP):
            raise self._unfit("weights", f"it wants {listed}, and is given crops as float32 [N, 3, 112, 112]")
        batch = inputs[0].shape[0] if inputs[0].shape else None
        if isinstance(batch, int) and batch != 1:
            raise self._unfit("weights", f"it wants {batch} crops at once; export it for 1 or any number")
        return str(inputs[0].name), 1 if batch == 1 else 64

    def _choose_output(self) -> str:
        """The one that the contract names, or the only one that can be the vectors."""
        outputs: dict[str, _Shape] = {one.name: one.shape for one in self._session.get_outputs()}
        listed = ", ".join(f"{name} {shape}" for name, shape in outputs.items())
        if (name := self._terms.get("output")) is not None and name not in outputs:
            raise self._unfit("output", f"there is no output {name} among {listed}")
        fitting = [one for one in outputs if _fits(outputs[one], [self.embedding_dim]) and name in (None, one)]
        if not fitting:
            raise self._unfit("embedding_dim", f"no output holds vectors of {self.embedding_dim}: {name or listed}")
        if len(fitting) > 1:
            raise self._unfit("output", f"is it {' or '.join(fitting)}? Name the one that holds the vectors")
        return fitting[0]

    def _unfit(self, key: str, reason: str) -> ModelError:
        return ModelError(f"{self._path}: {key} does not fit {self._weights.name}: {reason}")


def load(path: Path, device: str | torch.device = "cpu") -> Peer:
    """The network of a contract; it computes on the CPU whatever `device` is.

    Raises:
        ModelError: as `Peer`.
    """
    return Peer(path)


def fingerprint(path: Path) -> str:
    """SHA-256, in hex, of what decides the vectors: the contract's values and the weights, in one file or several.

    Raises:
        ModelError: as `Peer`, except that the weights are not looked into.
    """
    terms = _read_contract(path)
    digest = hashlib.sha256(json.dumps(terms, sort_keys=True).encode())
    weights = path.parent / terms["weights"]
    for file in (weights, *external_files(weights)):
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            raise ModelError(f"{file}: can't be read ({error})") from error
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


def _open(weights: Path) -> Any:
    try:
        return open_session(weights)
    except Exception as error:  # onnxruntime's own errors share no base
        raise ModelError(f"{weights}: is missing or no ONNX model ({error})") from error


def _fits(shape: _Shape, sizes: list[int]) -> bool:
    """Whether a shape, after its first axis, has these sizes, or leaves them open."""
    return not shape or (
        len(shape) == 1 + len(sizes)
        and all(one == size for one, size in zip(shape[1:], sizes, strict=True) if isinstance(one, int))
    )


def _read_contract(path: Path) -> dict[str, Any]:
    if path.suffix.lower() == ".onnx":
        raise ModelError(_how_to_write(path))
    try:
        terms = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise ModelError(f"{path}: is no contract that can be read: {error}") from error
    terms = terms if isinstance(terms, dict) else {}
    for key, kind in (_KEYS | {key: kind for key, kind in _OPTIONAL.items() if key in terms}).items():
        if not isinstance(terms.get(key), kind) or isinstance(terms[key], bool):
            raise ModelError(
                f"{path}: {key} is missing or of the wrong type; facerec/gallery/peer.py shows a contract"
            )
    if terms["colour"] not in ("RGB", "BGR"):
        raise ModelError(f"{path}: colour must be RGB or BGR, not {terms['colour']}")
    return {key: terms[key] for key in (*_KEYS, *_OPTIONAL) if key in terms}


def _how_to_write(weights: Path) -> str:
    """What the user is to write beside an ONNX file, as far as the file says it."""
    contract = weights.with_suffix(".yaml")
    if contract.exists():
        return f"{weights}: is the network alone; give its contract, model={contract}"
    outputs = {one.name: one.shape[-1] if one.shape else None for one in _open(weights).get_outputs()}
    lines = [f"weights: {weights.name}"]
    if len(outputs) == 1:
        [dim] = outputs.values()
        lines.append(f"embedding_dim: {dim if isinstance(dim, int) else '…             # length of a vector'}")
    else:
        lines.append("embedding_dim: …             # length of a vector")
        lines.append(f"output: …                    # that holds the vectors: {', '.join(outputs)}")
    lines += [
        "colour: …                    # RGB or BGR: the order of the channels it was trained with",
        "mean: …                      # (value - mean) / std, of crops in 0..255; 127.5 and 127.5 give -1..1",
        "std: …",
    ]
    listed = "".join(f"\n  {line}" for line in lines)
    return (
        f"{weights}: is the network alone, and does not say how to feed it; write {contract} with{listed}\n"
        f"as its authors say, and give model={contract}"
    )
