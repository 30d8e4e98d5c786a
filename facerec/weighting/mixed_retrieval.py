"""MAP@R of each query under any weights of the members, fast enough for hundreds of them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from facerec.metrics.retrieval import retrieval_of_ranks
from facerec.weighting.moments import MemberPairs
from facerec.weighting.simplex import Weights

_STRETCH = 8  # neighbouring similarities whose largest is looked at first


class MixedRetrieval:
    """Each image is a query for the others of its identity among all, by Σ w_k c_k.

    All similarities of every member are held, `float32 [K, N, N]`.

    Args:
        pairs: of the members.
        limit: images; where there are more, whole identities are drawn.
        seed: of the drawing.

    Attributes:
        identities: `int64 [Q]`, of each query.
    """

    def __init__(self, pairs: MemberPairs, limit: int, seed: int) -> None:
        rows = _drawn(pairs.labels, limit, seed)
        labels = torch.from_numpy(pairs.labels[rows])
        _, sizes = torch.unique_consecutive(labels, return_counts=True)
        filling = -len(rows) % _STRETCH
        members = [member[rows].float() for member in pairs.embeddings]
        self._similarities = torch.stack([member @ pad(member, (0, 0, 0, filling)).T for member in members])
        own = pad(labels[:, None] == labels, (0, filling), value=True)  # what is filled up is not wrong, either
        places = int(sizes.max()) - 1
        first = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
        columns = first[:, None] + torch.arange(places + 1)
        self._relevant = (sizes - 1).repeat_interleave(sizes)
        # the query itself and what is beyond its identity
        absent = (torch.arange(places + 1) > self._relevant[:, None]) | (
            columns == torch.arange(len(rows))[:, None]
        )
        device = self._similarities.device
        self._own, self._absent = own.to(device), absent.to(device)
        self._columns = columns.clamp_(max=len(rows) - 1).to(device)
        self._known: dict[bytes, NDArray[np.float64]] = {}
        self.identities: NDArray[np.int64] = labels[self._relevant > 0].numpy()

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        """`float64 [Q]`, exact: see `facerec.metrics.retrieval`."""
        key = weights.round(9).tobytes()
        if key not in self._known:
            self._known[key] = self._measured(weights)
        return self._known[key]

    def _measured(self, weights: Weights) -> NDArray[np.float64]:
        similarity = torch.tensordot(torch.from_numpy(weights).to(self._similarities), self._similarities, 1)
        right = similarity.gather(1, self._columns).masked_fill_(self._absent, -torch.inf)
        right = right.sort(dim=1, descending=True).values[:, :-1].contiguous()
        # wrong ones beyond the first R change nothing
        wrong = _largest(similarity.masked_fill_(self._own, -torch.inf), right.shape[1])
        before = torch.searchsorted(-wrong, -right, right=True).cpu()
        return retrieval_of_ranks(before, self._relevant)[0, self._relevant > 0].numpy()


def _largest(values: Tensor, count: int) -> Tensor:
    """The largest values of each row, `[N, count]`, in falling order."""
    stretches = values.unflatten(1, (-1, _STRETCH))
    if count >= stretches.shape[1]:
        return values.topk(min(count, values.shape[1]), dim=1).values
    # they are in the stretches with the largest maxima
    chosen = stretches.amax(dim=2).topk(count, dim=1, sorted=False).indices
    kept = stretches.gather(1, chosen[:, :, None].expand(-1, -1, _STRETCH)).flatten(1)
    largest: Tensor = kept.topk(count, dim=1).values
    return largest


def _drawn(labels: NDArray[np.int64], limit: int, seed: int) -> NDArray[np.int64]:
    """Rows in the order of their identities: of all, or of as many as have `limit` images together."""
    names, sizes = np.unique(labels, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    kept = names[order][sizes[order].cumsum() <= max(limit, sizes[order[:2]].sum())]
    rows = np.flatnonzero(np.isin(labels, kept))
    ordered: NDArray[np.int64] = rows[np.argsort(labels[rows], kind="stable")]
    return ordered
