"""Mean and covariance of several embedders' similarities, over all genuine and all impostor pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facerec.errors import DataError, ModelError

_CHUNK_VALUES = 2**23  # float64 held at once: 64 MiB
_CONSTANT = 1e-12  # variance; float32 embeddings of one and the same vector stay far below it
_DEPENDENT = 1e-10  # share of a variance that the members before do not explain


@dataclass(frozen=True, eq=False)
class Moments:
    """Of the similarity vector c over pairs of one kind.

    Attributes:
        count: unordered pairs.
        mean: `float64 [K]`.
        covariance: `float64 [K, K]`, of the population: divided by the count.
    """

    count: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


class MemberPairs:
    """All pairs of rows under K members: c(x, y) = (⟨u_k(x), u_k(y)⟩)_k, x ≠ y.

    A pair is genuine if both rows have one label, else it is an impostor pair. Moments are exact, in float64
    and over every pair, yet cost O(N·D²) for D = Σ d_k: the sum of c_k c_l over all (x, y) is the squared
    Frobenius norm of Σ_x u_k(x) u_l(x)ᵀ, from which x = y is taken away.

    Args:
        embeddings: of each member, `float [N, d_k]`, of unit length, of numpy or torch; vectors are not normalised
            again.
        labels: `int64 [N]`, the identity of each row.
        names: of the members, for messages.

    Attributes:
        names: of the members.
        labels: `int64 [N]`, as given.

    Raises:
        DataError: lengths differ, or there is no genuine or no impostor pair.
        ModelError: embeddings of a member, which is named, are not finite.
    """

    def __init__(
        self,
        embeddings: Sequence[Tensor | NDArray[np.floating]],
        labels: Tensor | NDArray[np.int64],
        names: Sequence[str],
    ) -> None:
        if not embeddings or len(names) != len(embeddings):
            raise ValueError(f"{len(embeddings)} embeddings and {len(names)} names; each member needs both")
        self.names = tuple(names)
        self._embeddings = [torch.as_tensor(member).detach() for member in embeddings]
        self.labels: NDArray[np.int64] = np.asarray(torch.as_tensor(labels).cpu())
        labels = self.labels
        for name, member in zip(names, self._embeddings, strict=True):
            if len(member) != len(labels):
                raise DataError(f"member {name}: {len(member)} embeddings for {len(labels)} labels")
            if bad := int((~member.isfinite().all(dim=1)).sum()):
                raise ModelError(f"member {name}: {bad} of {len(member)} embeddings are not finite; train it again")
        self._order = np.argsort(labels, kind="stable")  # an identity's rows stand together
        self._sizes = np.unique(labels, return_counts=True)[1]
        if len(self._sizes) == 0 or self._sizes.max() < 2:
            raise DataError("there is no genuine pair: every identity has one image only")
        if len(self._sizes) == 1:
            raise DataError("there is no impostor pair: all images are of one identity")

    @property
    def embeddings(self) -> tuple[Tensor, ...]:
        """Of each member, `float [N, d_k]`, of unit length."""
        return tuple(self._embeddings)

    @cached_property
    def genuine(self) -> Moments:
        """Over all pairs of one identity."""
        return _moments(self._genuine_sums)

    @cached_property
    def impostor(self) -> Moments:
        """Over all pairs of two identities."""
        return _moments(self._sums(self._order) - self._genuine_sums)

    @cached_property
    def separation(self) -> NDArray[np.float64]:
        """`float64 [K]`, μ₊ − μ₋: how much more similar genuine pairs are on average."""
        return self.genuine.mean - self.impostor.mean

    @cached_property
    def within(self) -> NDArray[np.float64]:
        """`float64 [K, K]`, ½(Σ₊ + Σ₋): the covariance within a kind of pair, positive definite.

        Raises:
            ModelError: the similarities of a member, which is named, never vary or follow from those before.
        """
        within: NDArray[np.float64] = (self.genuine.covariance + self.impostor.covariance) / 2
        variances = within.diagonal()
        for name, variance in zip(self.names, variances, strict=True):
            if variance < _CONSTANT:
                raise ModelError(f"member {name}: its similarities do not vary ({variance:.0e}); leave it out")
        correlation = within / np.sqrt(np.outer(variances, variances))
        for k in range(1, len(self.names)):
            explained = correlation[k, :k] @ np.linalg.solve(correlation[:k, :k], correlation[:k, k])
            if 1 - explained < _DEPENDENT:
                why = f"its similarities follow from those of {', '.join(self.names[:k])}, it adds nothing"
                raise ModelError(f"member {self.names[k]}: {why}; leave it out")
        return within

    def similarities(self, limit: int = 200_000, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Similarity vectors of genuine and of impostor pairs.

        Args:
            limit: of each kind; where there are more, so many are drawn evenly from all, none twice.
            seed: of the drawing; one seed, one sample.

        Returns:
            genuine `float64 [≤ limit, K]` and impostor `float64 [≤ limit, K]`.
        """
        random = np.random.default_rng(seed)
        rows = np.arange(len(self._order))  # places in the sorted order
        after = np.repeat(np.cumsum(self._sizes), self._sizes)  # where the next identity starts
        drawn = _drawn(rows + 1, after - rows - 1, limit, random), _drawn(after, len(rows) - after, limit, random)
        return self._similarities(*drawn[0]), self._similarities(*drawn[1])

    def _similarities(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
        similarities = np.empty((len(left), len(self.names)))
        for k, member in enumerate(self._embeddings):
            for part in _chunks(len(left), 2 * member.shape[1]):
                x, y = (member[self._order[side[part]]].double() for side in (left, right))
                similarities[part, k] = (x * y).sum(dim=1).numpy(force=True)
        return similarities

    # Pairs are counted by one more member, which is constantly 1: over the vectors (1, c) the second moment
    # [K+1, K+1] holds the number of pairs, the sum of c and the sum of c cᵀ. Pairs are ordered here, each twice.

    @cached_property
    def _genuine_sums(self) -> Tensor:
        starts = np.cumsum(self._sizes) - self._sizes
        width, kinds = self._spans.shape
        total = torch.zeros(kinds, kinds, dtype=torch.float64)
        for size in np.unique(self._sizes[self._sizes > 1]).tolist():
            rows = self._order[starts[self._sizes == size][:, None] + np.arange(size)]
            if size < width:
                total += sum(
                    self._gram_sums(rows[part]) for part in _chunks(len(rows), size * (width + kinds * size))
                )
            else:
                total += sum(map(self._sums, rows))
        return total

    def _gram_sums(self, rows: NDArray[np.int64]) -> Tensor:
        """Over the pairs within each row of `rows`, `int64 [G, n]`, one by one: O(G·n²·D)."""
        members = self._vectors(rows.ravel()).split(self._dims, dim=1)
        grams = torch.stack([(u := member.unflatten(0, rows.shape)) @ u.mT for member in members])
        grams.diagonal(dim1=-2, dim2=-1).zero_()
        return (grams.flatten(1) @ grams.flatten(1).T).cpu()

    def _sums(self, rows: NDArray[np.int64]) -> Tensor:
        """Over the pairs among `rows`, `int64 [n]`, by way of second moments: O(n·D²)."""
        moment = selves = (spans := self._spans).new_zeros(())
        for part in _chunks(len(rows), 2 * len(spans)):  # the vectors and their squares
            vectors = self._vectors(rows[part])
            norms = vectors.square() @ spans
            moment, selves = moment + vectors.T @ vectors, selves + norms.T @ norms
        sums: Tensor = spans.T @ moment.square() @ spans - selves
        return sums.cpu()

    def _vectors(self, rows: NDArray[np.int64]) -> Tensor:
        """The members side by side, the constant one first: `float64 [n, 1 + D]`."""
        members = [member[rows].double() for member in self._embeddings]
        return torch.cat([members[0].new_ones(len(rows), 1), *members], dim=1)

    @cached_property
    def _dims(self) -> list[int]:
        return [1, *(member.shape[1] for member in self._embeddings)]

    @cached_property
    def _spans(self) -> Tensor:
        """`float64 [1 + D, 1 + K]`: 1 where a column of `_vectors` belongs to a member."""
        spans = torch.eye(len(self._dims), dtype=torch.float64, device=self._embeddings[0].device)
        return spans.repeat_interleave(torch.tensor(self._dims, device=spans.device), dim=0)


def _chunks(count: int, values: int) -> list[slice]:
    """Slices of `range(count)` that hold a bounded number of values each, if one item holds `values`."""
    step = max(1, _CHUNK_VALUES // values)
    return [slice(start, start + step) for start in range(0, count, step)]


def _drawn(
    first: NDArray[np.int64], counts: NDArray[np.int64], limit: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs out of those where row i has the partners `first[i]`, …, `first[i] + counts[i] - 1`."""
    total = int((ends := np.cumsum(counts))[-1])
    chosen = np.arange(total) if total <= limit else np.sort(random.choice(total, limit, replace=False))
    left = np.searchsorted(ends, chosen, side="right")
    return left, first[left] + chosen - (ends[left] - counts[left])


def _moments(sums: Tensor) -> Moments:
    ordered = sums.numpy() / sums[0, 0].item()
    mean = ordered[0, 1:]
    return Moments(round(sums[0, 0].item()) // 2, mean, ordered[1:, 1:] - np.outer(mean, mean))
