"""Plain softmax: the baseline that a margin has to beat."""

from typing import Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerec.losses.base import Head, HeadOptions
from facerec.losses.class_shards import local_rows


class Softmax(Head):
    """Linear layer with bias on the features as they are; its weights are the prototypes.

    Args:
        embedding_dim: d.
        num_classes: C.
        options: see `HeadOptions`.
    """

    def __init__(self, embedding_dim: int, num_classes: int, **options: Unpack[HeadOptions]) -> None:
        super().__init__(embedding_dim, num_classes, **options)
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def logits(self, features: Tensor, cosine: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """W·x + b."""
        return F.linear(features, local_rows(self.weight).to(self.dtype), local_rows(self.bias).to(self.dtype))
