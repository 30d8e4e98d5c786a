"""The pairs that a model gets most wrong."""

from typing import NamedTuple

import torch
from torch import Tensor

from facerec.metrics.similarity import similarity_blocks

_CANDIDATES = 4096


class HardPair(NamedTuple):
    """Rows of two images, and the similarity of their embeddings."""

    left: int
    right: int
    similarity: float


def hardest_pairs(embeddings: Tensor, labels: Tensor, count: int = 12) -> tuple[list[HardPair], list[HardPair]]:
    """Genuine pairs with the lowest similarity and impostor pairs with the highest, hardest first.

    Pairs are chosen from the 4,096 hardest of each kind. An image is in one of them at the most, so that one bad
    image does not fill the list.

    Args:
        embeddings: unit `float [N, d]`.
        labels: `int64 [N]`.
        count: pairs of each kind, at the most.
    """
    genuine, impostor = _Hardest(), _Hardest()
    start = 0
    columns = torch.arange(len(labels))
    for block in similarity_blocks(embeddings, embeddings):
        rows = columns[start : start + len(block), None]
        same, later = labels[rows] == labels, columns > rows
        genuine.add(-block, same & later, start)
        impostor.add(block, ~same & later, start)
        start += len(block)
    return (
        [pair._replace(similarity=-pair.similarity) for pair in genuine.chosen(count)],
        impostor.chosen(count),
    )


class _Hardest:
    """The pairs of highest value seen so far."""

    def __init__(self) -> None:
        self.values, self.pairs = torch.empty(0), torch.empty(0, 2, dtype=torch.int64)

    def add(self, block: Tensor, wanted: Tensor, start: int) -> None:
        pairs = wanted.nonzero()
        values = block[wanted]
        best = values.topk(min(_CANDIDATES, len(values))).indices
        pairs[:, 0] += start
        self.values = torch.cat([self.values, values[best]])
        self.pairs = torch.cat([self.pairs, pairs[best]])
        best = self.values.topk(min(_CANDIDATES, len(self.values))).indices
        self.values, self.pairs = self.values[best], self.pairs[best]

    def chosen(self, count: int) -> list[HardPair]:
        kept: list[HardPair] = []
        shown: set[int] = set()
        for value, (left, right) in zip(self.values.tolist(), self.pairs.tolist(), strict=True):
            if len(kept) < count and not {left, right} & shown:
                shown |= {left, right}
                kept.append(HardPair(left, right, value))
        return kept
