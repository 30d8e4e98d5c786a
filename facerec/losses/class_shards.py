"""Class weights in parts on several processes: `head.shard=true`, by torch's distributed tensors."""

from contextlib import AbstractContextManager

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from facerec.distributed import collectives as processes
from facerec.errors import ConfigError


def here(weight: Tensor) -> Tensor:
    """The rows of a class weight that this process holds: all, unless the head was divided."""
    if type(weight) in (Tensor, torch.nn.Parameter):
        return weight
    part: Tensor = weight.to_local()  # type: ignore[attr-defined]
    return part


class Division:
    """The classes one after the other in equal shares, the last one smaller; one share a process.

    Args:
        classes: C.
        device: of this process.

    Raises:
        ConfigError: there is one process only, or one would be left without a class.
    """

    def __init__(self, classes: int, device: torch.device) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise ConfigError("head.shard divides the classes over the processes of trainer=ddp: choose it too")
        self.size, self.classes = dist.get_world_size(), classes
        each = -(-classes // self.size)
        if each * (self.size - 1) >= classes:
            raise ConfigError(f"head.shard: {classes} identities can't be divided over {self.size} processes")
        self.device, self.mesh = device, processes.mesh_of(device.type)
        self.first = each * dist.get_rank()
        self.last = min(classes, self.first + each)

    def part(self, whole: Tensor) -> Tensor:
        """A tensor `[C, …]`, equal on all processes, as one whose rows lie in shares on the device."""
        from torch.distributed.tensor import DTensor, Shard

        own = whole[self.first : self.last].to(self.device, copy=True)  # a view would hold on to the whole
        return DTensor.from_local(
            own, self.mesh, [Shard(0)], run_check=False, shape=whole.shape, stride=whole.stride()
        )

    def whole(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The batches of all processes in one: `[n, d]` and `int64 [n]` → `[N, d]`, `int64 [N]`."""
        if features.requires_grad:
            features = features.view_as(features)
            # DDP takes the mean over processes of what follows from a loss that is one and the same on all
            features.register_hook(lambda gradient: gradient * self.size)
        return processes.gathered(features), processes.gathered(labels)

    def own(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of the whole batch whose class is here, and its column here: two `int64 [M]`."""
        rows = ((labels >= self.first) & (labels < self.last)).nonzero().squeeze(1)
        return rows, labels[rows] - self.first

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of logits `[N, classes here]` and labels `int64 [N]`, over all classes; backward within `parallel`."""
        from torch.distributed.tensor import DTensor, Replicate, Shard

        shape, stride = torch.Size((len(logits), self.classes)), (self.classes, 1)
        columns = DTensor.from_local(logits, self.mesh, [Shard(1)], run_check=False, shape=shape, stride=stride)
        with parallel():
            loss = F.cross_entropy(columns, DTensor.from_local(labels, self.mesh, [Replicate()], run_check=False))
        found: Tensor = loss.to_local()  # type: ignore[attr-defined]
        return found

    def highest(self, values: Tensor) -> Tensor:
        """The greatest over all processes, value by value."""
        from torch.distributed.tensor import DTensor, Partial, Replicate

        parts = DTensor.from_local(values, self.mesh, [Partial("max")], run_check=False)
        return parts.redistribute(placements=[Replicate()]).to_local()


def parallel() -> AbstractContextManager[None]:
    """What the parallel loss and its backward pass run in."""
    from torch.distributed.tensor.parallel import loss_parallel

    return loss_parallel()
