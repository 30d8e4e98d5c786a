"""Class weights in shards on several processes: `loss.shard_classes=true`, by torch's distributed tensors.

Local is what belongs to this process, global what belongs to all.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from facerec.distributed import collectives
from facerec.errors import ConfigError


def local_rows(parameter: Tensor) -> Tensor:
    """The rows of a head's parameter that this process holds: all, unless its classes are sharded."""
    if type(parameter) in (Tensor, Parameter):
        return parameter
    rows: Tensor = parameter.to_local()  # type: ignore[attr-defined]
    return rows


class ShardedClassifier:
    """The classes one after the other in shards of equal size, the last one smaller; a shard a process.

    Args:
        num_classes: C, of all processes.
        device: of this process.

    Raises:
        ConfigError: there is one process only, or one would be left without a class.
    """

    def __init__(self, num_classes: int, device: torch.device) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise ConfigError(
                "loss.shard_classes needs several processes to shard the classes over: choose trainer=ddp"
            )
        self.world_size, self.num_classes = dist.get_world_size(), num_classes
        shard_size = -(-num_classes // self.world_size)
        if shard_size * (self.world_size - 1) >= num_classes:
            raise ConfigError(
                f"loss.shard_classes: {num_classes} identities can't be sharded over {self.world_size} processes"
            )
        self.device, self.mesh = device, collectives.process_mesh(device.type)
        self.start = shard_size * dist.get_rank()  # the local classes are start..end-1
        self.end = min(num_classes, self.start + shard_size)

    def shard(self, parameter: Tensor) -> Tensor:
        """A tensor `[C, …]`, equal on all processes, as one whose rows lie in shards on their devices."""
        from torch.distributed.tensor import DTensor, Shard

        # a view would keep the global tensor in memory
        local = parameter[self.start : self.end].to(self.device, copy=True)
        return DTensor.from_local(
            local, self.mesh, [Shard(0)], run_check=False, shape=parameter.shape, stride=parameter.stride()
        )

    def global_batch(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The local batches of all processes in one: `[n, d]` and `int64 [n]` → `[N, d]`, `int64 [N]`."""
        if features.requires_grad:
            features = features.view_as(features)
            # DDP takes the mean over processes of what follows from a loss that is one and the same on all
            features.register_hook(lambda gradient: gradient * self.world_size)
        return collectives.all_gather_rows(features), collectives.all_gather_rows(labels)

    def local_targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of the global batch whose class is local, and its local column: two `int64 [M]`."""
        rows = ((labels >= self.start) & (labels < self.end)).nonzero().squeeze(1)
        return rows, labels[rows] - self.start

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of local logits `[N, local C]` and labels `int64 [N]`, over all classes; backward in `loss_parallel`."""
        from torch.distributed.tensor import DTensor, Replicate, Shard

        shape, stride = torch.Size((len(logits), self.num_classes)), (self.num_classes, 1)
        sharded = DTensor.from_local(logits, self.mesh, [Shard(1)], run_check=False, shape=shape, stride=stride)
        replicated = DTensor.from_local(labels, self.mesh, [Replicate()], run_check=False)
        with loss_parallel():
            loss: Tensor = F.cross_entropy(sharded, replicated).to_local()  # type: ignore[attr-defined]
        return loss

    def global_max(self, values: Tensor) -> Tensor:
        """The greatest over all processes, value by value."""
        from torch.distributed.tensor import DTensor, Partial, Replicate

        partial = DTensor.from_local(values, self.mesh, [Partial("max")], run_check=False)
        return partial.redistribute(placements=[Replicate()]).to_local()


def loss_parallel() -> AbstractContextManager[None]:
    """What the loss over shards and its backward pass run in; torch's, imported when it is needed."""
    from torch.distributed.tensor import parallel

    return parallel.loss_parallel()


def clip_sharded(replicated: Iterable[Parameter], sharded: Iterable[Parameter], limit: float) -> None:
    """Clip gradients to a norm that counts the classes of all processes.

    Args:
        replicated: parameters whose gradients are equal on all processes.
        sharded: parameters of which each process holds its shard.
        limit: the norm that is not exceeded afterwards.
    """
    groups = [list(replicated), list(sharded)]
    norms = [get_total_norm([p.grad for p in group if p.grad is not None]) for group in groups]
    norms[1] = norms[1].full_tensor()  # type: ignore[attr-defined]
    total = torch.linalg.vector_norm(torch.stack(norms))
    for group in groups:
        clip_grads_with_norm_(group, limit, total, foreach=False)
