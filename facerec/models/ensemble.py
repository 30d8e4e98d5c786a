"""The ensemble: maps a crop to a point on the product of its members' spheres."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facerec.models.crop_model import CropModel


class Ensemble(CropModel):
    """Embeds a crop as z = (√w₁·u₁, …, √w_K·u_K), where u_k is the vector of member k.

    As Σw = 1, z has unit length and ⟨z, z'⟩ = Σ w_k ⟨u_k, u_k'⟩: whatever searches for an embedder's vectors
    searches for these, and with equal weights this is plain concatenation. A member of weight 0 changes nothing
    and costs its full time, so leave it out.

    Args:
        members: embedders by name, in order, ours or `OnnxEmbedder`s; their dimensions may differ.
        weights: one for each member, 0 or above, of sum 1.

    Raises:
        ValueError: there is no member, or the weights are not like that.
    """

    weights: Tensor

    def __init__(self, members: Mapping[str, CropModel], weights: Sequence[float] | NDArray[Any] | Tensor) -> None:
        super().__init__()
        values = torch.as_tensor(weights, dtype=torch.float64)
        if not members or values.shape != (len(members),):
            raise ValueError(f"{len(members)} members can't have weights {values.tolist()}; each needs one")
        check_weights(values)
        self.names = tuple(members)
        self.members = nn.ModuleList(members.values())
        self.register_buffer("weights", values.float())

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding: the sum of the members'."""
        return sum(member.embedding_dim for member in self.embedders)

    @property
    def embedders(self) -> tuple[CropModel, ...]:
        """The members, in order."""
        return tuple(self.members)  # type: ignore[arg-type]  # a ModuleList does not know what it holds

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings: `uint8 [N, 3, 112, 112]` → `float32 [N, Σ d_k]` of unit length.

        Raises:
            ValueError: `crops` is not a batch of `uint8` crops.
        """
        pairs = zip(self.weights.sqrt().unbind(), self.members, strict=True)
        return torch.cat([root * member(crops) for root, member in pairs], dim=1)


def check_weights(weights: Tensor) -> None:
    """Raise a ValueError unless all weights are 0 or above and their sum is 1 within 1e-6."""
    if not bool((weights >= 0).all()) or abs(weights.double().sum().item() - 1) > 1e-6:
        raise ValueError(f"weights must be 0 or above and of sum 1, not {weights.tolist()}")
