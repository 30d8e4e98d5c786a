"""Checkpoints of a sharded head are those of any other: gathered when written, sharded when read."""

from typing import Any

from torch import Tensor, nn

from facerec.losses.class_shards import ShardedClassifier


def gather_shards(checkpoint: dict[str, Any]) -> None:
    """Turn every distributed tensor into a global one in main memory; all processes have to call this."""
    from torch.distributed.tensor import DTensor
    from torch.utils import _pytree as tree

    for key in ("state_dict", "optimizer_states"):
        checkpoint[key] = tree.tree_map_only(DTensor, lambda shard: shard.full_tensor().cpu(), checkpoint[key])


def shard_checkpoint(
    checkpoint: dict[str, Any],
    classifier: ShardedClassifier,
    head_parameters: dict[str, nn.Parameter],
    optimized: list[nn.Parameter],
) -> None:
    """Shard what belongs to the head's parameters as those are, whatever number of processes wrote it.

    Args:
        checkpoint: as `gather_shards` left it.
        classifier: how the head is sharded.
        head_parameters: of the sharded head, by their names in the checkpoint.
        optimized: the parameters of the optimizer, in its order.
    """
    weights = checkpoint["state_dict"]
    for name in head_parameters:
        weights[name] = classifier.shard(weights[name])
    head_ids = {id(parameter) for parameter in head_parameters.values()}
    for index, parameter in enumerate(optimized):
        if id(parameter) not in head_ids:
            continue
        for optimizer_state in checkpoint.get("optimizer_states", []):
            state = optimizer_state["state"].get(index, {})
            state |= {key: classifier.shard(value) for key, value in state.items() if _has_shape(value, parameter)}


def _has_shape(value: Any, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape
