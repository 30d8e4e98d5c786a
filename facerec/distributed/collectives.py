"""Sums and rows over all processes of a run, differentiable, on torch's distributed tensors."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


def is_distributed() -> bool:
    """Whether this is one of several processes of a run."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def process_mesh(device_type: str) -> "DeviceMesh":
    """All processes of the run, in a row, each with one device of this type."""
    return _mesh_of_group(dist.group.WORLD, device_type)


@lru_cache(1)
def _mesh_of_group(group: Any, device_type: str) -> "DeviceMesh":  # the next run of a sweep has another group
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh(device_type, (dist.get_world_size(),))


def all_reduce_sum(values: Tensor) -> Tensor:
    """The sum over all processes, of any shape; the gradient is the sum of theirs."""
    from torch.distributed.tensor import Partial

    return _replicated(values, Partial())


def all_gather_rows(rows: Tensor) -> Tensor:
    """The rows of all processes, `[n, …]` of each → `[Σ n, …]`; the gradient is the sum of theirs."""
    from torch.distributed.tensor import Shard

    return _replicated(rows, Shard(0))


def _replicated(local: Tensor, placement: Any) -> Tensor:
    """The global tensor of which each process holds its local tensor in this placement."""
    from torch.distributed.tensor import DTensor, Partial, Replicate

    distributed = DTensor.from_local(local, process_mesh(local.device.type), [placement], run_check=False)
    replicated: Tensor = distributed.redistribute(placements=[Replicate()]).to_local(grad_placements=[Partial()])
    return replicated
