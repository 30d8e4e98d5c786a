"""Which similarities can reach a limit, from products of half precision; those few are then computed exactly."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

_ELEMENTS = 2**24  # that are multiplied at a time: 128 MiB of float64


class Factors(NamedTuple):
    """What tiles of similarities are products of.

    Attributes:
        vectors: `float [N, d]`.
        scale: their similarities are this times those that are meant.
        slack: a computed similarity is at most this below the true one, thus scaled.
    """

    vectors: Tensor
    scale: float = 1.0
    slack: float = 0.0

    def floor(self, limits: Tensor) -> Tensor:
        """What a computed similarity reaches whenever the true one reaches its limit.

        Rounding, of a similarity and of this, keeps their order.
        """
        return (limits * self.scale - self.slack).to(self.vectors.dtype) if self.slack else limits


def half_factors(vectors: Tensor) -> Factors:
    """`float16` factors for `float [N, d]`, which a GPU multiplies several times as fast.

    Scaled by a power of 2 to a length of 1 at most, a vector becomes another by rounding that is at most
    r = 2^-11 + 2^-25 √d away: a product of two is off by r (2 + r), and by what adding d numbers in float32 loses.
    2^-9 is for GPUs that add parts of a product in half precision.
    """
    dim = vectors.shape[1]
    lengths = (torch.linalg.vector_norm(part, dim=1, dtype=torch.float64) for part in _parts(vectors))
    longest = max(float(part.amax()) for part in lengths)
    scale = 2.0 ** -max(math.frexp(longest)[1], -60)  # its square is a float32, too
    rounding = 2**-11 + 2**-25 * math.sqrt(dim)
    half = torch.cat([(part * scale).half() for part in _parts(vectors)])
    return Factors(half, scale**2, rounding * (2 + rounding) + dim * 2**-22 + 2**-9)


def exact_products(vectors: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Similarities of pairs of vectors, computed in float64 and rounded once: `float [P]`."""
    at_once = max(1, _ELEMENTS // vectors.shape[1])
    pairs = zip(rows.split(at_once), columns.split(at_once), strict=True)
    products = [(vectors[left].double() * vectors[right].double()).sum(dim=1) for left, right in pairs]
    return torch.cat(products).to(vectors.dtype)


def _parts(vectors: Tensor) -> tuple[Tensor, ...]:
    return torch.split(vectors, max(1, _ELEMENTS // vectors.shape[1]))
