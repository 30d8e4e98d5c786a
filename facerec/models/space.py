"""Whose vectors are these? What a gallery has to know of a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Space(NamedTuple):
    """Where the vectors of one model lie.

    Attributes:
        model: the fingerprint; vectors of two models can't be compared.
        dim: length of a vector.
        statistics: the model's `statistics.json`, for its thresholds and calibration; may be empty.
    """

    model: str
    dim: int
    statistics: Mapping[str, Any]

    @classmethod
    def of(cls, path: str | Path) -> "Space":
        """That of a model folder, or of the contract of a peer's ONNX model: a file.

        Raises:
            ModelError: a file is missing or damaged.
        """
        from facerec.models import store as model  # brings torch, which a search is free of

        path = Path(path)
        if path.is_file():
            from facerec.models import onnx_model as peer

            return cls(peer.fingerprint(path), peer.embedding_dim(path), peer.read_statistics(path))
        return cls(model.fingerprint(path), model.embedding_dim(path), model.read_statistics(path))
