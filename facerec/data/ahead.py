"""Batches that are read, and pinned for a GPU, in a thread while earlier ones are trained on."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch.utils.data import DataLoader

from facerec.data.batch import Batch

_AHEAD = 2  # one to copy to the GPU while another is read


class AheadLoader(DataLoader[Batch]):
    """A DataLoader without worker processes whose next batches are being read before they are asked for.

    They are the same in the same order. It pays where something else computes: reading and pinning crops leaves the
    interpreter to the thread that trains.
    """

    def __iter__(self) -> Any:
        """Begin an epoch, with the order that the sampler has now."""
        return _ahead(super().__iter__(), torch.cuda.current_device() if self.pin_memory else None)


def _ahead(batches: Iterator[Batch], gpu: int | None) -> Iterator[Batch]:
    # pinned memory belongs to the context of a GPU, and a new thread begins with the first one
    with ThreadPoolExecutor(1, "batches", None if gpu is None else lambda: torch.cuda.set_device(gpu)) as thread:
        reading = deque(thread.submit(next, batches, None) for _ in range(_AHEAD))
        while (batch := reading.popleft().result()) is not None:
            reading.append(thread.submit(next, batches, None))
            yield batch
