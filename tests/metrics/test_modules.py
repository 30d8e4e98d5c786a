from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from facerec.metrics import RetrievalMetrics, SeenAccuracy, accuracy_unseen, retrieval_metrics


def _samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(0, 8, (31,), generator=generator)
    vectors = torch.randn(8, 6, generator=generator)[labels] + torch.randn(31, 6, generator=generator)
    return torch.nn.functional.normalize(vectors, dim=1), labels


def _expected() -> dict[str, float]:
    vectors, labels = _samples()
    values = retrieval_metrics(vectors, labels)
    return dict(zip(("MAP@R", "P@1", "R-precision"), values, strict=True)) | {
        "A@1/unseen": accuracy_unseen(vectors, labels)
    }


def _process(rank: int, folder: str) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    vectors, labels = _samples()
    # uneven shares, in two batches, and one sample that both processes have
    rows = torch.arange(rank, 31, 2) if rank == 0 else torch.tensor([*range(1, 31, 2), 0, 4])
    retrieval, seen = RetrievalMetrics(), SeenAccuracy()
    for part in rows.split(7):
        retrieval.update(vectors[part], labels[part], part)
        seen.update(vectors[part], labels[part], vectors[:8])
    torch.save((retrieval.compute(), seen.compute(), len(rows)), f"{folder}/{rank}")
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    spawn(_process, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / str(rank)) for rank in range(2))
    assert first[0] == second[0] == _expected()
    assert first[2] + second[2] == 33
    vectors, labels = _samples()
    rows = torch.tensor([*range(31), 0, 4])
    nearest = (vectors[rows] @ vectors[:8].T).argmax(1)
    assert first[1] == second[1] == (nearest == labels[rows]).float().mean()


@pytest.mark.parametrize("seed", range(3))
def test_order_of_arrival_and_repeats_change_nothing(seed: int) -> None:
    vectors, labels = _samples()
    rows = torch.cat([torch.arange(31), torch.tensor([3, 3, 9])])
    rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]
    metric = RetrievalMetrics()
    for part in rows.split(5):
        metric.update(vectors[part], labels[part], part)
    assert metric.compute() == _expected()
