"""The systems that are compared: each member, their plain concatenation, the weighted ensemble."""

from collections.abc import Mapping

import torch
from torch import Tensor


def make_systems(members: Mapping[str, Tensor], weights: Tensor | None) -> dict[str, Tensor]:
    """Embeddings of every system, made of those of the members.

    Args:
        members: name → unit `float32 [N, d_k]`.
        weights: `float32 [K]` of the ensemble, Σ = 1; None if the model is not an ensemble.

    Returns:
        Name → unit `float32 [N, d]`. The evaluated model itself comes last.
    """
    if weights is None:
        return dict(members)
    equal = torch.full((len(members),), 1 / len(members))
    return {
        **members,
        "concatenation": _product(members, equal),
        "ensemble": _product(members, weights.cpu()),
    }


def _product(members: Mapping[str, Tensor], weights: Tensor) -> Tensor:
    parts = zip(members.values(), weights.sqrt(), strict=True)
    return torch.cat([member * root for member, root in parts], dim=1)
