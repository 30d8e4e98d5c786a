"""Plain softmax: the baseline that a margin has to beat."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerec.losses.base import Head
from facerec.losses.class_shards import here


class Softmax(Head):
    """Linear layer with bias on the features as they are; its weights are the prototypes.

    Args:
        embedding_dim: d.
        num_classes: C.
    """

    def __init__(self, embedding_dim: int, num_classes: int) -> None:
        super().__init__(embedding_dim, num_classes)
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def logits(self, features: Tensor, cosine: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """W·x + b."""
        return F.linear(features, here(self.weight).to(self.dtype), here(self.bias).to(self.dtype))
