"""Divided over two processes every head gives the loss, gradients and checkpoint of the undivided one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from facerec.losses import Head
from facerec.losses import shard_checkpoints as checkpoints
from facerec.losses.class_shards import parallel

C, D, N = 11, 6, 12  # uneven shares


def _states(head: Head, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    checkpoint = {"state_dict": head.state_dict(), "optimizer_states": [optimizer.state_dict()]}
    checkpoints.gather(checkpoint)
    return checkpoint


def _step(head: Head, features: torch.Tensor, labels: torch.Tensor, optimizer: torch.optim.Optimizer) -> Any:
    features = features.clone().requires_grad_()
    output = head(features, labels)
    optimizer.zero_grad()
    with parallel():
        output.loss.backward()
    optimizer.step()
    return output, features.grad


def _child(rank: int, file: str, heads: list[Callable[..., Head]]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    mine = slice(rank * N // 2, (rank + 1) * N // 2)
    for make in heads:
        torch.manual_seed(0)
        features, labels = torch.randn(N, D, dtype=torch.float64), torch.randint(0, C, (N,))
        undivided, divided = make(D, C).double(), make(D, C).double()
        divided.load_state_dict(undivided.state_dict())
        divided.divide(torch.device("cpu"))
        assert {len(p.to_local()) for p in divided.parameters()} == {6 - rank}  # type: ignore[attr-defined]
        optimizers = [torch.optim.Adam(head.parameters(), lr=0.1) for head in (undivided, divided)]
        for step in range(3):
            if step == 2:  # as after a restart: what an undivided head wrote goes into a divided one
                there = torch.load(_saved(undivided, optimizers[0], f"{file}-{rank}"), weights_only=True)
                divided = make(D, C).double()
                divided.divide(torch.device("cpu"))
                optimizers[1] = torch.optim.Adam(divided.parameters(), lr=0.1)
                checkpoints.divide(there, divided, "", list(divided.parameters()))
                divided.load_state_dict(there["state_dict"])
                optimizers[1].load_state_dict(there["optimizer_states"][0])
            norms = undivided.state_dict().get("norm_mean")
            whole, gradient = _step(
                undivided.eval() if norms is not None else undivided, features, labels, optimizers[0]
            )
            divided.train(undivided.training)
            part, own = _step(divided, features[mine], labels[mine], optimizers[1])
            torch.testing.assert_close(part.loss, whole.loss, rtol=1e-12, atol=1e-12)
            # twice, since DDP will take the mean over two processes
            torch.testing.assert_close(own / 2, gradient[mine], rtol=1e-10, atol=1e-12)
            right = torch.tensor([int(part.correct.sum())])
            dist.all_reduce(right)
            assert right.item() == whole.correct.sum()
            states = _states(divided, optimizers[1])
            torch.testing.assert_close(states, _states(undivided, optimizers[0]), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(divided.prototypes, undivided.prototypes)
    dist.destroy_process_group()


def _saved(head: Head, optimizer: torch.optim.Optimizer, file: str) -> str:
    torch.save(_states(head, optimizer), file)
    return file


def test_a_divided_head_is_the_undivided_one(tmp_path: Path, all_heads: list[Callable[..., Head]]) -> None:
    spawn(_child, (str(tmp_path / "meeting"), all_heads), 2)
