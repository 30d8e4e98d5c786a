"""The metrics as torchmetrics modules, correct over several processes."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from facerec.metrics.accuracy import accuracy_unseen, nearest_prototype
from facerec.metrics.retrieval import retrieval_metrics


class RetrievalMetrics(Metric):
    """MAP@R, P@1, R-precision and A@1/unseen over all samples of an epoch.

    Samples are put in the order of their data set and counted once each, so that it does not matter how
    loaders and processes shared them out or whether a sampler repeated some.
    """

    full_state_update = False
    embeddings: list[Tensor]
    labels: list[Tensor]
    indices: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("embeddings", "labels", "indices"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, embeddings: Tensor, labels: Tensor, indices: Tensor) -> None:
        """Keep a batch: `float [N, d]`, `int64 [N]`, and the rows in the data set, `int64 [N]`."""
        self.embeddings.append(embeddings.float())
        self.labels.append(labels)
        self.indices.append(indices)

    def compute(self) -> dict[str, float]:
        """The four metrics by name."""
        indices = dim_zero_cat(self.indices)
        order = indices.argsort(stable=True)
        order = order[torch.cat([order.new_ones(1), indices[order].diff()]) != 0]
        embeddings, labels = dim_zero_cat(self.embeddings)[order], dim_zero_cat(self.labels)[order]
        values = retrieval_metrics(embeddings, labels)
        return {
            "MAP@R": values.map_at_r,
            "P@1": values.precision_at_1,
            "R-precision": values.r_precision,
            "A@1/unseen": accuracy_unseen(embeddings, labels),
        }


class SeenAccuracy(Metric):
    """A@1/seen: the share of held-out images nearest to their own class prototype; nan without images.

    It counts what it is given: a sampler must not repeat samples.
    """

    full_state_update = False
    correct: Tensor
    total: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("correct", "total"):
            self.add_state(name, default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, embeddings: Tensor, labels: Tensor, prototypes: Tensor) -> None:
        """Count a batch: `float [N, d]`, `int64 [N]`, and prototypes `[C, d]` or `[C, K, d]`."""
        self.correct += (nearest_prototype(embeddings.float(), prototypes) == labels).sum()
        self.total += len(labels)

    def compute(self) -> Tensor:
        """Share of right ones."""
        return self.correct / self.total
