"""Batches that are read before they are asked for."""

import threading
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.demos import BoringModel
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler

from facerec.data import Batch, CropDataset
from facerec.data.ahead import AheadLoader
from facerec.data.cache import as_is
from facerec.errors import DataError

COUNT = 23
CROPS = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 112, 112), dtype=np.uint8)
PATIENCE = 60  # seconds, for what happens at once


class _Watched(CropDataset):
    """Tells which batch is read, counted from 0, and fails at one."""

    def __init__(self, broken: int | None = None) -> None:
        super().__init__(CROPS, np.arange(COUNT) % 5, np.arange(COUNT))
        self.read = [threading.Event() for _ in range(COUNT)]
        self.count, self.broken = 0, broken

    def __getitems__(self, indices: list[int]) -> Batch:
        batch = super().__getitems__(indices)
        self.read[self.count].set()
        self.count += 1
        if self.count - 1 == self.broken:
            raise DataError("a damaged file")
        return batch


def _loader(kind: type[DataLoader[Batch]], dataset: CropDataset, **more: Any) -> DataLoader[Batch]:
    sampler: DistributedSampler[int] = DistributedSampler(dataset, 1, 0, shuffle=True, seed=3, drop_last=True)
    return kind(dataset, 4, sampler=sampler, drop_last=True, collate_fn=as_is, **more)


def _batches(kind: type[DataLoader[Batch]]) -> tuple[list[Batch], int]:
    torch.manual_seed(0)
    loader = _loader(kind, _Watched())
    batches = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        batches += list(loader)
        loader.dataset.count = 0  # type: ignore[attr-defined]
    return batches, int(torch.randint(2**31, ()))


def test_batches_and_later_draws_are_those_of_a_plain_loader() -> None:
    (ahead, drawn), (plain, expected) = _batches(AheadLoader), _batches(DataLoader)
    assert len(ahead) == len(plain) == 2 * (COUNT // 4)
    assert drawn == expected
    for one, other in zip(ahead, plain, strict=True):
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(one[:3], other[:3], strict=True))


def test_the_next_batches_are_read_while_one_is_in_use() -> None:
    dataset = _Watched()
    batches = iter(_loader(AheadLoader, dataset))
    next(batches)
    assert dataset.read[2].wait(PATIENCE)
    assert not dataset.read[3].is_set()


def test_an_error_arrives_at_its_own_batch_and_no_thread_is_left() -> None:
    before = threading.active_count()
    batches = iter(_loader(AheadLoader, _Watched(broken=1)))
    next(batches)
    with pytest.raises(DataError, match="a damaged file"):
        next(batches)
    for _ in _loader(AheadLoader, _Watched()):
        break
    assert threading.active_count() == before


class _Sums(BoringModel):
    """Trains on anything, and remembers the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[int]] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.rows.append(batch.indices.tolist())
        return torch.as_tensor(self.layer(batch.crops.flatten(1)[:, :32].float()).sum())


@pytest.mark.parametrize("given", [{}, {"overfit_batches": 2}])
def test_lightning_trains_on_the_same_batches(given: dict[str, Any]) -> None:
    def trained(kind: type[DataLoader[Batch]]) -> list[list[int]]:
        off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = Trainer(max_epochs=2, limit_val_batches=0, accelerator="cpu", **off, **given)  # type: ignore[arg-type]
        model = _Sums()
        trainer.fit(model, _loader(kind, _Watched()))
        return model.rows

    assert trained(AheadLoader) == trained(DataLoader)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU with CUDA")
def test_batches_are_pinned() -> None:
    assert all(batch.crops.is_pinned() for batch in _loader(AheadLoader, _Watched(), pin_memory=True))
