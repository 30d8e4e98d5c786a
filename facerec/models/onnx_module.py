"""An ONNX network as a module of PyTorch: a member of an ensemble, or a teacher."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facerec.crops.contract import CROP_SIZE, Crops
from facerec.errors import ModelError
from facerec.models.base import check_crops
from facerec.models.crop_model import CropModel
from facerec.models.onnx_conversion import torch_network, whole_file
from facerec.models.onnx_model import OnnxModel

_TOLERANCE = 1e-3  # of a vector's numbers, between PyTorch and ONNX Runtime; what is converted wrongly is far off
_CPU_BATCH = 16  # tensors stay below 32 MiB, see `facerec.runtime.allocator`
_TINY = 1e-12  # what is shorter is zero, and stays so, as in ONNX Runtime


class OnnxEmbedder(CropModel):
    """A network that came as an ONNX file, frozen: it never trains, and its `state_dict` is empty.

    Args:
        content: of the ONNX file, its weights included.
        terms: how to feed it: `embedding_dim`, `colour`, `mean`, `std` and `output`, see `onnx_contract`.
        path: of the network, for messages.
        fingerprint: of the model it came from.
        origin: where that came from; plain values.

    Raises:
        ModelError: the network can't be converted; names the operator.
    """

    mean: Tensor

    def __init__(
        self, content: bytes, terms: Mapping[str, Any], path: Path, *, fingerprint: str, origin: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.content, self.terms = content, dict(terms)
        self.fingerprint, self.origin = fingerprint, dict(origin)
        self.network = torch_network(content, terms["output"], path)
        self.register_buffer("mean", torch.tensor(float(terms["mean"])), persistent=False)
        super().train(False)

    @classmethod
    def of_model(cls, model: OnnxModel) -> "OnnxEmbedder":
        """The network of an opened model, on the CPU; what it gives is compared with ONNX Runtime.

        Raises:
            ModelError: the network can't be converted, or its copy gives other vectors.
        """
        embedder = cls(
            whole_file(model.file), model.terms, model.path, fingerprint=model.fingerprint, origin=model.origin
        )
        crops = np.random.default_rng(0).integers(0, 256, (2, 3, CROP_SIZE, CROP_SIZE), dtype=np.uint8)
        try:
            vectors, wanted = embedder.embed(crops), model.embed(crops)
        except RuntimeError as error:  # of PyTorch: shapes that hold for one crop, or types that it does not mix
            raise ModelError(f"{model.path}: can't be run in PyTorch ({error})") from error
        if not np.abs(vectors - wanted).max() < _TOLERANCE:  # NaN, too
            raise ModelError(f"{model.path}: gives other vectors in PyTorch than in ONNX Runtime")
        return embedder

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        dim: int = self.terms["embedding_dim"]
        return dim

    @property
    def sha256(self) -> str:
        """Of the ONNX file, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    def train(self, mode: bool = True) -> "OnnxEmbedder":
        """Stay in evaluation mode, whatever the module does that this is a part of."""
        return super().train(False)

    def embed(self, crops: Crops | Tensor, batch_size: int = 256) -> NDArray[np.float32]:
        """As `CropModel.embed`; on a CPU few crops at once, whose tensors the C library keeps for the next ones."""
        on_cpu = self.mean.device.type == "cpu"
        return super().embed(crops, min(batch_size, _CPU_BATCH) if on_cpu else batch_size)

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings: `uint8 [N, 3, 112, 112]` → `float32 [N, d]` of unit length, also under autocast.

        Raises:
            ValueError: `crops` is not a batch of `uint8` crops.
        """
        # while an exporter records, a comparison of shapes would be one of tensors
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            check_crops(crops.shape, crops.dtype)
        values = crops.flip(1) if self.terms["colour"] == "BGR" else crops
        vectors: Tensor = self.network((values.float() - self.mean) / self.terms["std"])
        return F.normalize(vectors.float(), dim=1, eps=_TINY)
