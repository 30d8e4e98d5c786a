"""A model as jobs use it: the same for an embedder, an ensemble, and an ONNX file with its contract."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import Crops
from facerec.errors import ModelError
from facerec.models.base import CropEmbedder
from facerec.models.catalogue import is_name, names
from facerec.models.catalogue.entry import find_entry
from facerec.models.onnx_contract import CONTRACT
from facerec.models.record import ModelRecord
from facerec.models.statistics import Statistics


class Model(ABC):
    """Crops in, unit vectors out, and what is known of the model. Weights are read when first needed.

    Attributes:
        path: the model folder, the contract of an ONNX file, or the name of a ready-made model.
        trained_on: `dataset`, `function` and `arguments` of the data set it was trained on; None: unknown.
        origin: where it came from; plain values.
        weights: `float32 [K]` of the members, of sum 1; None: this is not an ensemble.
    """

    path: Path
    trained_on: Mapping[str, Any] | None = None
    origin: Mapping[str, Any] = MappingProxyType({})
    weights: NDArray[np.float32] | None = None

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length of an embedding."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256, in hex, of what decides the vectors."""

    @property
    @abstractmethod
    def statistics(self) -> Statistics:
        """Its statistics, as they stand on disk."""

    @abstractmethod
    def store(self, statistics: Statistics) -> None:
        """Replace its statistics on disk, completely or not at all.

        Raises:
            ModelError: the disk refuses.
        """

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes of its weights on disk."""

    @property
    def teachers(self) -> Mapping[str, Mapping[str, Any]]:
        """Member → `name`, `licence` and more of the teacher whose vectors it learnt, where there was one."""
        start = self.origin.get("init_from") or {}  # a run that went on from a taught model
        own = self.origin.get("teacher") or start.get("teacher")
        return {**self.origin.get("teachers", {}), **({"model": own} if own else {})}

    @property
    @abstractmethod
    def members(self) -> Mapping[str, CropEmbedder]:
        """Name → embedder of each member. A model that is not an ensemble is its own member, called "model"."""

    @property
    @abstractmethod
    def embedder(self) -> CropEmbedder:
        """Its network, in what computes it fastest."""

    @abstractmethod
    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """Any number of crops `uint8 [N, 3, 112, 112]`, or one → `float32 [N, d]`, of unit length."""

    @cached_property
    def record(self) -> ModelRecord:
        """What a gallery needs to know of the model."""
        return ModelRecord(self.fingerprint, self.dim, self.statistics)


def fingerprint_of(path: str | Path) -> str:
    """The fingerprint of what `open_model` opens, without fetching anything.

    Raises:
        ModelError: there is no model, or a file of it is damaged.
    """
    if is_name(path):
        return find_entry(str(path)).fingerprint
    return open_model(path, "cpu").fingerprint


def open_model(
    path: str | Path,
    device: str = "auto",
    cache: str | Path | None = None,
    *,
    offline: bool = False,
    accept_licence: bool = False,
) -> Model:
    """Open a ready-made model, a model folder, a training run that holds one, or the contract of an ONNX file.

    Args:
        path: of the folder, run or contract; or the name of a ready-made model, whose weights are fetched at first
            use. A folder of such a name is `./NAME`.
        device: where to compute, such as "cpu" or "cuda"; "auto" is a GPU if there is one that can be used: by
            PyTorch, which only model folders can do, or by the GPU build of ONNX Runtime.
        cache: where the ONNX copy goes if the model folder can't be written.
        offline: fetch nothing.
        accept_licence: of a ready-made model that is not for commercial use.

    Raises:
        ConfigError: this machine has no such device.
        ModelError: there is no model, or a file of it is damaged; or a ready-made one can't be fetched.
    """
    if is_name(path):
        from facerec.models.ready_made_model import open_ready_made

        return open_ready_made(str(path), device, offline=offline, accept_licence=accept_licence)
    path = Path(path).expanduser()
    contract = path / CONTRACT if (path / CONTRACT).is_file() else path
    if contract.is_file():
        from facerec.models.onnx_model import OnnxModel

        return OnnxModel.of_contract(contract, device)
    if not path.exists():
        raise ModelError(
            f"model: there is nothing at {path}; give a model folder, a run, an ONNX file's contract, or one of "
            f"the ready-made {', '.join(names())}"
        )
    from facerec.models.folder_model import FolderModel

    run = (path / "model" / "model.yaml").exists()
    return FolderModel(path / "model" if run else path, device, None if cache is None else Path(cache))
