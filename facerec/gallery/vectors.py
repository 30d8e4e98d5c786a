"""Check that vectors are those of the gallery's model."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.errors import GalleryError
from facerec.models.record import ModelRecord


def check_vectors(vectors: NDArray[np.floating], model: ModelRecord) -> NDArray[np.float32]:
    """The vectors as `float32 [N, d]`.

    Raises:
        GalleryError: they have another shape than the model's, or are not of unit length.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != model.dim:
        shape = list(vectors.shape)
        raise GalleryError(f"vectors must be [N, {model.dim}], of model {model.fingerprint}, not {shape}")
    if not unit_length(vectors).all():
        raise GalleryError("vectors must be finite and of unit length, as embedders return them")
    return vectors


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """`bool [N]`, whether each vector is of unit length; false for nan."""
    result: NDArray[np.bool_] = np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3
    return result


def check_model(connection: Connection[Any], model: str, *, lock: bool = False) -> None:
    """Check that the gallery is still of this model.

    Args:
        connection: in a transaction.
        model: fingerprint.
        lock: keep it so until the transaction ends, which a replica can't.

    Raises:
        GalleryError: the gallery was rebuilt with another model.
    """
    statement = "SELECT model FROM gallery FOR SHARE" if lock else "SELECT model FROM gallery"
    row = connection.execute(statement).fetchone()
    if row != (model,):
        raise GalleryError(
            f"the gallery is now of model {row and row[0]}, and these vectors are of model {model}; "
            "open the gallery again"
        )
