"""A model folder: PyTorch on a GPU, and ONNX Runtime on a CPU or where there is no PyTorch."""

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import Crops
from facerec.models import folder
from facerec.models.base import CropEmbedder
from facerec.models.model import Model
from facerec.models.onnx_copy import open_onnx_copy
from facerec.models.statistics import Statistics
from facerec.runtime.allocator import keep_freed_memory
from facerec.runtime.device import find_device, find_gpu
from facerec.runtime.onnx_session import check_session_device

if TYPE_CHECKING:
    from facerec.models.embedder import Embedder
    from facerec.models.ensemble import Ensemble

log = logging.getLogger(__name__)


class FolderModel(Model):
    """A folder written by `facerec.models.store.save`.

    Args:
        path: the folder.
        device: as torch names it, or "auto".
        cache: where the ONNX copy goes if the folder can't be written.

    Raises:
        ConfigError: neither PyTorch nor ONNX Runtime has that device here.
        ModelError: there is no model in it, or it is damaged.
    """

    def __init__(self, path: Path, device: str, cache: Path | None) -> None:
        self.path, self._cache = path, cache
        self._device, self._gpu = device, find_gpu(device)
        if not self._gpu:
            check_session_device(device)
        self._contract = folder.read_contract(path)
        self.trained_on: Mapping[str, Any] | None = self._contract.get("trained_on")
        self.origin: Mapping[str, Any] = self._contract["origin"]
        if isinstance(self.origin, dict) and self.origin.get("non_commercial"):
            licences = self.origin.get("licences", "see model.yaml")
            log.warning("%s: NOT FOR COMMERCIAL USE; the licences of its members: %s", path, licences)

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        dim: int = self._contract["embedding_dim"]
        return dim

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of what decides the vectors."""
        return folder.fingerprint(self.path)

    @property
    def size(self) -> int:
        """Bytes of its weights on disk, without the ONNX copy."""
        return sum(file.stat().st_size for file in self.path.rglob("*.safetensors"))

    @property
    def statistics(self) -> Statistics:
        """Its statistics, as they stand on disk."""
        return Statistics.from_json(folder.read_statistics(self.path), self.path / "statistics.json")

    def store(self, statistics: Statistics) -> None:
        """Replace its statistics, whole or not at all."""
        folder.write_statistics(self.path, statistics.to_json())

    @property
    def members(self) -> Mapping[str, CropEmbedder]:
        """Name → embedder of each member, in PyTorch on the device."""
        from facerec.models.ensemble import Ensemble

        if isinstance(self.network, Ensemble):
            return dict(zip(self.network.names, self.network.embedders, strict=True))
        return {"model": self.network}

    @property
    def weights(self) -> NDArray[np.float32] | None:  # type: ignore[override]
        """Weight of each member, of an ensemble."""
        from facerec.models.ensemble import Ensemble

        return self.network.weights.numpy(force=True) if isinstance(self.network, Ensemble) else None

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """Any number of crops `uint8 [N, 3, 112, 112]`, or one → `float32 [N, d]`, of unit length."""
        return self.embedder.embed(crops)

    @cached_property
    def network(self) -> "Embedder | Ensemble":
        """The PyTorch module, on the device."""
        from facerec.models import store

        if not self._gpu:
            keep_freed_memory()
        return store.load(self.path, self._gpu or ("cpu" if self._device == "auto" else find_device(self._device)))

    @cached_property
    def embedder(self) -> CropEmbedder:
        """The network on a GPU, or its ONNX copy."""
        if self._gpu:
            return self.network
        return open_onnx_copy(self.path, self.fingerprint, self.dim, self._cache, self._device)
