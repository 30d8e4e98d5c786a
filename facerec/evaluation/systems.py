"""The systems that are compared: each member, their plain concatenation, the weighted ensemble."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]


def model_embeddings(members: Mapping[str, Embeddings], weights: NDArray[np.float32] | None) -> Embeddings:
    """Embeddings of the model itself, see `make_systems`."""
    if weights is None:
        [embeddings] = members.values()
        return embeddings
    return _product(members, weights)


def make_systems(members: Mapping[str, Embeddings], weights: NDArray[np.float32] | None) -> dict[str, Embeddings]:
    """Embeddings of every system, made of those of the members.

    Args:
        members: name → unit `float32 [N, d_k]`.
        weights: `float32 [K]` of the ensemble, Σ = 1; None if the model is not an ensemble.

    Returns:
        Name → unit `float32 [N, d]`. The evaluated model itself comes last.
    """
    if weights is None:
        return dict(members)
    equal = np.full(len(members), 1 / len(members), np.float32)
    return {
        **members,
        "concatenation": _product(members, equal),
        "ensemble": model_embeddings(members, weights),
    }


def _product(members: Mapping[str, Embeddings], weights: NDArray[np.float32]) -> Embeddings:
    parts = zip(members.values(), np.sqrt(weights), strict=True)
    return np.concatenate([member * root for member, root in parts], axis=1)
