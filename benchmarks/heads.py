"""Memory of a process for a sharded head: python benchmarks/heads.py CLASSES PROCESSES [device=cpu] [batch=64].

Reports the growth of peak resident memory (of allocated memory on a GPU) over two steps of ArcFace with AdaBelief.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from facerec.losses import ArcFace
from facerec.losses.class_shards import loss_parallel
from facerec.training import AdaBelief

DIM = 128


def child(rank: int, file: str, classes: int, size: int, kind: str, batch: int) -> None:
    """Two steps; the first process prints."""
    device = torch.device(kind, rank) if kind == "cuda" else torch.device(kind)
    dist.init_process_group(
        "nccl" if kind == "cuda" else "gloo", init_method=f"file://{file}", rank=rank, world_size=size
    )
    torch.set_num_threads(1)
    head = ArcFace(DIM, 2 * size, m=0.2, scale=None)
    head.shard(device)  # warms up what distributed tensors import
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    head = ArcFace(DIM, classes, m=0.2, scale=None)
    head.shard(device)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    optimizer = AdaBelief(head.parameters(), eps=1e-8, rectify=False, weight_decouple=False, print_change_log=False)
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        features = torch.randn(batch // size, DIM, device=device, requires_grad=True)
        loss = head(features, torch.randint(0, classes, (batch // size,), device=device)).loss
        with loss_parallel():
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    used = torch.cuda.max_memory_allocated(device) if kind == "cuda" else peak - before
    computed = 16 * DIM * classes / size + 16 * batch * classes / size
    if rank == 0:
        print(
            f"{classes:,} identities, {size} processes, {batch} images: {used / 1e9:.3f} GB a process "
            f"(computed {computed / 1e9:.3f}; start alone {(start - before) / 1e9:.3f}), {seconds:.2f} s a step"
        )
    dist.destroy_process_group()


def main() -> None:
    """Read the command line."""
    options = dict(entry.split("=") for entry in sys.argv[3:])
    with tempfile.TemporaryDirectory() as folder:
        file, classes, size = str(Path(folder) / "meeting"), int(sys.argv[1]), int(sys.argv[2])
        kind, batch = options.get("device", "cpu"), int(options.get("batch", 64))
        spawn(child, (file, classes, size, kind, batch), size)


if __name__ == "__main__":
    main()
