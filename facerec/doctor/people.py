"""The vectors of a data set, grouped by identity."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class People:
    """Vectors with identities.

    Attributes:
        vectors: unit `float32 [N, d]`.
        identities: `str [N]`.
        splits: `str [N]`.
    """

    vectors: NDArray[np.float32]
    identities: NDArray[np.str_]
    splits: NDArray[np.str_]

    @cached_property
    def names(self) -> NDArray[np.str_]:
        """`str [C]`, sorted."""
        return np.unique(self.identities)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """`int64 [N]`, places in `names`."""
        return np.searchsorted(self.names, self.identities).astype(np.int64)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """`int64 [C]`, images of each identity."""
        return np.bincount(self.labels, minlength=len(self.names)).astype(np.int64)

    @cached_property
    def sums(self) -> NDArray[np.float64]:
        """`float64 [C, d]`, sums of the vectors of each identity."""
        order, starts = self._order
        sums: NDArray[np.float64] = np.add.reduceat(self.vectors[order].astype(np.float64), starts, axis=0)
        return sums

    @cached_property
    def means(self) -> NDArray[np.float32]:
        """`float32 [C, d]`: the dot product of two is the mean similarity of all pairs of images across them."""
        return (self.sums / self.counts[:, None]).astype(np.float32)

    @cached_property
    def within(self) -> NDArray[np.float64]:
        """`float64 [C]`: mean similarity of the pairs within each identity; NaN where there is one image."""
        pairs = self.counts * (self.counts - 1.0)
        sums = np.einsum("cd,cd->c", self.sums, self.sums) - self.counts
        means: NDArray[np.float64] = np.divide(sums, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
        return means

    @cached_property
    def own(self) -> NDArray[np.float64]:
        """`float64 [N]`: mean similarity of each image to the others of its identity; NaN where there is none."""
        others = (self.counts - 1.0)[self.labels]
        sums = np.einsum("nd,nd->n", self.vectors, self.sums[self.labels]) - 1
        means: NDArray[np.float64] = np.divide(sums, others, out=np.full(len(others), np.nan), where=others > 0)
        return means

    def rows(self, identity: int) -> NDArray[np.int64]:
        """Rows of the identity's images, `int64`, ascending."""
        order, starts = self._order
        return order[starts[identity] : starts[identity] + self.counts[identity]]

    def toward(self, identity: int, vector: NDArray[np.floating]) -> NDArray[np.int64]:
        """Rows of the identity's images, `int64`, those most similar to `vector [d]` first."""
        rows = self.rows(identity)
        return rows[np.argsort(-(self.vectors[rows] @ vector), kind="stable")]

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows sorted by identity, and where each identity begins."""
        order = np.argsort(self.labels, kind="stable").astype(np.int64)
        return order, np.concatenate([[0], self.counts.cumsum()[:-1]]).astype(np.int64)
