"""Checkpoints of a divided head are those of an undivided one: gathered when written, divided when read."""

from typing import Any

import torch
from torch import Tensor, nn

from facerec.losses.base import Head


def gather(checkpoint: dict[str, Any]) -> None:
    """Make every distributed tensor whole, in main memory; all processes have to call this."""
    from torch.distributed.tensor import DTensor
    from torch.utils import _pytree as tree

    for key in ("state_dict", "optimizer_states"):
        checkpoint[key] = tree.tree_map_only(DTensor, lambda part: part.full_tensor().cpu(), checkpoint[key])


def divide(checkpoint: dict[str, Any], head: Head, prefix: str, parameters: list[nn.Parameter]) -> None:
    """Divide what belongs to the head's parameters as those are, whatever number of processes wrote it.

    Args:
        checkpoint: as `gather` left it.
        head: divided.
        prefix: of its names in the checkpoint.
        parameters: of the optimizer, in its order.
    """
    division = head.division
    assert division is not None
    own = dict(head.named_parameters())
    for name in own:
        checkpoint["state_dict"][prefix + name] = division.part(checkpoint["state_dict"][prefix + name])
    places = [place for place, one in enumerate(parameters) if any(one is parameter for parameter in own.values())]
    for states in checkpoint.get("optimizer_states", []):
        for place in places:
            of = states["state"].get(place, {})
            shape = parameters[place].shape
            of |= {key: division.part(value) for key, value in of.items() if _like(value, shape)}


def _like(value: Any, shape: torch.Size) -> bool:
    return isinstance(value, Tensor) and value.shape == shape
