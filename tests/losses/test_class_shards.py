"""Sharded over two processes every head gives the loss, gradients and checkpoint of the unsharded one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from facerec.losses import Head
from facerec.losses.class_shards import loss_parallel
from facerec.losses.shard_checkpoints import gather_shards, shard_checkpoint

C, D, N = 11, 6, 12  # shards of unequal size


def _states(head: Head, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    checkpoint = {"state_dict": head.state_dict(), "optimizer_states": [optimizer.state_dict()]}
    gather_shards(checkpoint)
    return checkpoint


def _step(head: Head, features: torch.Tensor, labels: torch.Tensor, optimizer: torch.optim.Optimizer) -> Any:
    features = features.clone().requires_grad_()
    output = head(features, labels)
    optimizer.zero_grad()
    with loss_parallel():
        output.loss.backward()
    optimizer.step()
    return output, features.grad


def _child(rank: int, file: str, heads: list[Callable[..., Head]]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    local = slice(rank * N // 2, (rank + 1) * N // 2)
    for make in heads:
        torch.manual_seed(0)
        features, labels = torch.randn(N, D, dtype=torch.float64), torch.randint(0, C, (N,))
        unsharded, sharded = make(D, C).double(), make(D, C).double()
        sharded.load_state_dict(unsharded.state_dict())
        sharded.shard(torch.device("cpu"))
        assert {len(p.to_local()) for p in sharded.parameters()} == {6 - rank}  # type: ignore[attr-defined]
        optimizers = [torch.optim.Adam(head.parameters(), lr=0.1) for head in (unsharded, sharded)]
        for step in range(3):
            if step == 2:  # as after a restart: what an unsharded head wrote goes into a sharded one
                checkpoint = torch.load(_saved(unsharded, optimizers[0], f"{file}-{rank}"), weights_only=True)
                sharded = make(D, C).double()
                sharded.shard(torch.device("cpu"))
                optimizers[1] = torch.optim.Adam(sharded.parameters(), lr=0.1)
                assert sharded.sharded
                shard_checkpoint(
                    checkpoint, sharded.sharded, dict(sharded.named_parameters()), list(sharded.parameters())
                )
                sharded.load_state_dict(checkpoint["state_dict"])
                optimizers[1].load_state_dict(checkpoint["optimizer_states"][0])
            norms = unsharded.state_dict().get("norm_mean")
            output, gradient = _step(
                unsharded.eval() if norms is not None else unsharded, features, labels, optimizers[0]
            )
            sharded.train(unsharded.training)
            local_output, local_gradient = _step(sharded, features[local], labels[local], optimizers[1])
            torch.testing.assert_close(local_output.loss, output.loss, rtol=1e-12, atol=1e-12)
            # twice, since DDP will take the mean over two processes
            torch.testing.assert_close(local_gradient / 2, gradient[local], rtol=1e-10, atol=1e-12)
            correct = torch.tensor([int(local_output.correct.sum())])
            dist.all_reduce(correct)
            assert correct.item() == output.correct.sum()
            states = _states(sharded, optimizers[1])
            torch.testing.assert_close(states, _states(unsharded, optimizers[0]), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(sharded.prototypes, unsharded.prototypes)
    dist.destroy_process_group()


def _saved(head: Head, optimizer: torch.optim.Optimizer, file: str) -> str:
    torch.save(_states(head, optimizer), file)
    return file


@pytest.mark.slow
def test_a_sharded_head_is_the_unsharded_one(tmp_path: Path, all_heads: list[Callable[..., Head]]) -> None:
    spawn(_child, (str(tmp_path / "meeting"), all_heads), 2)
