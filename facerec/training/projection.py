"""Fewer numbers for a teacher's vectors, with nearly the same cosines."""

import numpy as np
from numpy.typing import NDArray

from facerec.errors import ConfigError


def principal_axes(vectors: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """The `dim` orthonormal axes along which vectors are longest: PCA without centring, `float32 [D, dim]`.

    Cosines are measured from the origin. Centring would move it, and with it every cosine: two strangers are
    near 0 to each other before, and no longer after.

    Args:
        vectors: `float32 [N, D]`.
        dim: of the result, at most D.

    Raises:
        ConfigError: there are fewer vectors than they have numbers, so some axes would be arbitrary.
    """
    count, width = vectors.shape
    if count < width:
        raise ConfigError(
            f"teacher: its vectors have {width} numbers, and {count} training images are too few to find the {dim} "
            f"that matter most; choose a teacher of {dim} numbers, or backbone.embedding_dim={width}"
        )
    values = vectors.astype(np.float64)
    axes: NDArray[np.float64] = np.linalg.eigh(values.T @ values)[1][:, : -dim - 1 : -1]  # the last are the longest
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(dim)])  # which sign they get depends on the machine
    return np.ascontiguousarray(axes, dtype=np.float32)
