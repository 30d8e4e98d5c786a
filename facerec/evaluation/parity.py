"""How far the vectors of a model's copy lie from its own, and what that costs."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from facerec.metrics import operating_points, pair_histograms


class Parity(NamedTuple):
    """What a copy gives, beside what the model gives for the same crops.

    Attributes:
        crops: how many.
        largest_difference: of two numbers of vectors.
        lowest_cosine: of a crop's two vectors.
        median_cosine: the same.
        tar: share of accepted genuine pairs at the false accept rate asked for, each at its own threshold: of the
            model, of its copy.
    """

    crops: int
    largest_difference: float
    lowest_cosine: float
    median_cosine: float
    tar: tuple[float, float]


def compare_vectors(
    model: NDArray[np.float32], copy: NDArray[np.float32], identities: NDArray[np.str_], far: float
) -> Parity:
    """Compare unit vectors `float32 [N, d]` of the same crops, of the people `identities`.

    Raises:
        DataError: a vector is not finite, or there is no pair of one person or of two.
    """
    labels = torch.from_numpy(np.unique(identities, return_inverse=True)[1])
    pairs = [pair_histograms(torch.from_numpy(vectors), labels) for vectors in (model, copy)]
    own, other = (operating_points(histograms, [far])[0].tar for histograms in pairs)
    cosines = (model.astype(np.float64) * copy).sum(axis=1)
    difference = float(np.abs(model - copy).max())
    return Parity(len(model), difference, float(cosines.min()), float(np.median(cosines)), (own, other))
