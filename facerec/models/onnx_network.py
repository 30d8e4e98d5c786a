"""A network in ONNX Runtime: crops in, vectors out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import Crops
from facerec.errors import ModelError
from facerec.models.base import in_batches

BATCH = 64
_TINY = np.float32(1e-12)  # what is shorter is zero, and stays so


class OnnxNetwork:
    """Embeds crops with a session of ONNX Runtime.

    Attributes:
        output: name of the output that holds the vectors.

    Args:
        session: an `onnxruntime.InferenceSession`.
        path: of its file, for messages.
        input: name of the input that takes crops.
        output: name of the output that holds the vectors.
        dim: length of a vector.
        prepare: maps `uint8 [N, 3, 112, 112]` to the input of the network.
        batch_size: crops at once, at most.
    """

    def __init__(
        self,
        session: Any,
        path: Path,
        *,
        input: str,
        output: str,
        dim: int,
        prepare: Callable[[NDArray[np.uint8]], NDArray[Any]] = np.ascontiguousarray,
        batch_size: int = BATCH,
    ) -> None:
        self._session, self._path, self._input, self.output = session, path, input, output
        self._dim, self._prepare, self._batch_size = dim, prepare, batch_size

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        return self._dim

    def embed(self, crops: Crops, batch_size: int = BATCH) -> NDArray[np.float32]:
        """Any number of crops `uint8 [N, 3, 112, 112]`, or one → `float32 [N, d]` of unit length.

        A vector that the network gives as NaN or zero stays so.

        Raises:
            ModelError: the network refuses the crops, or gives vectors of another length.
            ValueError: `crops` are not `uint8` crops.
        """
        return in_batches(self._run, crops, self._dim, min(batch_size, self._batch_size))

    def _run(self, crops: Crops) -> NDArray[np.float32]:
        values = self._prepare(crops)
        try:
            [output] = self._session.run([self.output], {self._input: values})
        except Exception as error:  # onnxruntime's own errors share no base
            raise ModelError(f"{self._path}: the network refuses {len(crops)} crops ({error})") from error
        if np.shape(output) != (len(crops), self._dim):
            shapes = (
                f"{self.output} is {list(np.shape(output))} of {len(crops)} crops, and not of length {self._dim}"
            )
            raise ModelError(f"{self._path}: embedding_dim does not fit: {shapes}")
        vectors = np.asarray(output, np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = vectors / np.maximum(lengths, _TINY)
        return unit
