"""Sums and rows over all processes of a run, differentiable, on torch's distributed tensors."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


def many() -> bool:
    """Whether this is one of several processes of a run."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def mesh_of(device: str) -> "DeviceMesh":
    """All processes of the run, in a row, each with one device of this type."""
    return _mesh(dist.group.WORLD, device)


@lru_cache(1)
def _mesh(group: Any, device: str) -> "DeviceMesh":  # by group: the next run of a sweep has another one
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh(device, (dist.get_world_size(),))


def summed(values: Tensor) -> Tensor:
    """The sum over all processes, of any shape; the gradient is the sum of theirs."""
    from torch.distributed.tensor import DTensor, Partial, Replicate

    parts = DTensor.from_local(values, mesh_of(values.device.type), [Partial()], run_check=False)
    whole: Tensor = parts.redistribute(placements=[Replicate()]).to_local(grad_placements=[Partial()])
    return whole


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes, `[n, …]` of each → `[Σ n, …]`; the gradient is the sum of theirs."""
    from torch.distributed.tensor import DTensor, Partial, Replicate, Shard

    parts = DTensor.from_local(rows, mesh_of(rows.device.type), [Shard(0)], run_check=False)
    whole: Tensor = parts.redistribute(placements=[Replicate()]).to_local(grad_placements=[Partial()])
    return whole
