"""An external model: an ONNX file, and beside it a contract that says how to feed it (see `onnx_contract`).

The crops are those of this package: 112×112, five landmarks on the ArcFace template. Evaluation writes `thresholds`
and `calibration` into a `statistics.json` beside the contract.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import CROP_SIZE, Crops
from facerec.errors import ModelError
from facerec.models import folder
from facerec.models.base import CropEmbedder
from facerec.models.external_files import external_files
from facerec.models.model import Model
from facerec.models.onnx_contract import open_network, read_contract, read_origin
from facerec.models.onnx_network import BATCH, OnnxNetwork
from facerec.models.statistics import Statistics
from facerec.runtime.files import replace_json

_CROP = [3, CROP_SIZE, CROP_SIZE]
_BYTES = "tensor(uint8)"  # what `facerec export` writes
_KINDS = ("tensor(float)", _BYTES)

_Shape = list[int | str | None]  # a size that is left open has a name or none; empty where the rank is open


class OnnxModel(Model):
    """An ONNX file and the terms it is fed on, in ONNX Runtime.

    Args:
        path: what the model is called in messages: its contract, or the name of a ready-made model.
        terms: of the contract, see `onnx_contract`.
        weights: the ONNX file.
        device: as `open_session` takes it.

    Raises:
        ConfigError: ONNX Runtime can't use the device.
        ModelError: a file is missing or damaged, the contract lacks a key, or the network does not fit it; the
            message names the file and the key.
    """

    def __init__(self, path: Path, terms: Mapping[str, Any], weights: Path, device: str) -> None:
        self.path, self._terms, self._weights = path, terms, weights
        self._statistics = path.parent / "statistics.json"
        self.network = self._checked(device)

    @classmethod
    def of_contract(cls, path: Path, device: str) -> "OnnxModel":
        """The model of a contract, which names the ONNX file beside it."""
        terms = read_contract(path)
        model = cls(path, terms, path.parent / terms["weights"], device)
        model.origin = read_origin(path)
        return model

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        dim: int = self._terms["embedding_dim"]
        return dim

    @property
    def size(self) -> int:
        """Bytes of its weights on disk."""
        return sum(file.stat().st_size for file in (self._weights, *external_files(self._weights)))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of what decides the vectors: the contract's values and all files of weights."""
        digest = hashlib.sha256(json.dumps(self._terms, sort_keys=True).encode())
        for file in (self._weights, *external_files(self._weights)):
            try:
                digest.update(file.read_bytes())
            except OSError as error:
                raise ModelError(f"{file}: can't be read ({error})") from error
        return digest.hexdigest()

    @property
    def terms(self) -> Mapping[str, Any]:
        """How to feed the network, and the name of its output that holds the vectors, as `output`."""
        keys = ("embedding_dim", "colour", "mean", "std")
        return {**{key: self._terms[key] for key in keys}, "output": self.network.output}

    @property
    def file(self) -> Path:
        """The ONNX file."""
        return self._weights

    @property
    def statistics(self) -> Statistics:
        """The statistics beside the contract; empty if there is no file."""
        if not self._statistics.exists():
            return Statistics()
        return Statistics.from_json(folder.read_statistics(self.path.parent), self._statistics)

    def store(self, statistics: Statistics) -> None:
        """Replace the statistics beside the contract, completely or not at all."""
        try:
            replace_json(self._statistics, statistics.to_json())
        except OSError as error:
            raise ModelError(f"{self._statistics}: can't be written ({error}); free space there") from error

    @property
    def members(self) -> Mapping[str, CropEmbedder]:
        """The network, called "model"."""
        return {"model": self.network}

    @property
    def embedder(self) -> CropEmbedder:
        """The network."""
        return self.network

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """Any number of crops `uint8 [N, 3, 112, 112]`, or one → `float32 [N, d]` of unit length, NaN or zero."""
        return self.network.embed(crops)

    def _checked(self, device: str) -> OnnxNetwork:
        """The network, checked against the contract."""
        session = open_network(self._weights, device)
        name, batch_size = self._check_input(session)
        network = OnnxNetwork(
            session,
            self.path,
            input=name,
            output=self._choose_output(session),
            dim=self.dim,
            prepare=self._prepare,
            batch_size=batch_size,
        )
        network.embed(np.zeros([1, *_CROP], np.uint8))  # fail now and not at the first photo
        return network

    def _prepare(self, crops: NDArray[np.uint8]) -> NDArray[Any]:
        ordered = crops[:, ::-1] if self._terms["colour"] == "BGR" else crops
        if self._takes_bytes:
            return np.ascontiguousarray(ordered)
        values = (ordered.astype(np.float32) - np.float32(self._terms["mean"])) / np.float32(self._terms["std"])
        return np.ascontiguousarray(values)

    def _check_input(self, session: Any) -> tuple[str, int]:
        """Name of the input, and how many crops it takes at once."""
        inputs = session.get_inputs()
        listed = ", ".join(f"{entry.name} {entry.shape} {entry.type}" for entry in inputs)
        if len(inputs) != 1 or inputs[0].type not in _KINDS or not _fits(inputs[0].shape, _CROP):
            raise self._unfit("weights", f"it takes {listed}, but crops are float32 or uint8 [N, 3, 112, 112]")
        self._takes_bytes = inputs[0].type == _BYTES
        if self._takes_bytes and (self._terms["mean"], self._terms["std"]) != (0, 1):
            raise self._unfit("mean, std", "it takes the bytes of crops as they are, so write mean: 0 and std: 1")
        batch = inputs[0].shape[0] if inputs[0].shape else None
        if isinstance(batch, int) and batch != 1:
            raise self._unfit("weights", f"it takes {batch} crops at once; export it for 1 or any number")
        return str(inputs[0].name), 1 if batch == 1 else BATCH

    def _choose_output(self, session: Any) -> str:
        """The output that the contract names, or the only one that can hold the vectors."""
        outputs: dict[str, _Shape] = {output.name: output.shape for output in session.get_outputs()}
        listed = ", ".join(f"{name} {shape}" for name, shape in outputs.items())
        if (name := self._terms.get("output")) is not None and name not in outputs:
            raise self._unfit("output", f"there is no output {name} among {listed}")
        fitting = [output for output in outputs if _fits(outputs[output], [self.dim]) and name in (None, output)]
        if not fitting:
            raise self._unfit("embedding_dim", f"no output holds vectors of {self.dim}: {name or listed}")
        if len(fitting) > 1:
            raise self._unfit("output", f"is it {' or '.join(fitting)}? Name the one that holds the vectors")
        return fitting[0]

    def _unfit(self, key: str, reason: str) -> ModelError:
        return ModelError(f"{self.path}: {key} does not fit {self._weights.name}: {reason}")


def _fits(shape: _Shape, sizes: list[int]) -> bool:
    """Whether a shape, after its first axis, has these sizes, or leaves them open."""
    return not shape or (
        len(shape) == 1 + len(sizes)
        and all(length == size for length, size in zip(shape[1:], sizes, strict=True) if isinstance(length, int))
    )
