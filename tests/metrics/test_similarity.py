from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from facerec.errors import DataError
from facerec.metrics import SeenAccuracy, accuracy_unseen, nearest_prototype, retrieval_metrics

BUDGET = 64 * 2**20


class _LargestTensor(TorchDispatchMode):
    """Remembers the bytes of the largest tensor that any operation made."""

    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, Tensor):
                self.largest = max(self.largest, tensor.untyped_storage().nbytes())
        return made


def _unit(rows: int, width: int) -> Tensor:
    vectors = torch.randn(rows, width, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.normalize(vectors, dim=1)


@pytest.mark.parametrize("collapsed", [False, True])
def test_no_tensor_outgrows_the_budget(collapsed: bool) -> None:
    count = 6_000  # all pairs would take 144 MB
    vectors = torch.eye(4)[:1].repeat(count, 1) if collapsed else _unit(count, 4)
    with _LargestTensor() as memory:
        retrieval_metrics(vectors, torch.arange(count) // 3)
        accuracy_unseen(vectors, torch.arange(count) // 3)
        nearest_prototype(vectors, vectors)
    assert BUDGET / 2 < memory.largest <= BUDGET


def test_autocast_and_half_vectors_lose_nothing_more() -> None:
    vectors, labels = _unit(300, 16), torch.arange(300) // 30
    prototypes = _unit(100, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        # the premise: here a plain product is a rounded one
        assert (vectors @ prototypes.T).dtype == torch.bfloat16
        under = retrieval_metrics(vectors, labels), accuracy_unseen(vectors, labels)
        nearest = nearest_prototype(vectors, prototypes)
        seen = SeenAccuracy()
        seen.update(vectors, labels, prototypes)
    assert under == (retrieval_metrics(vectors, labels), accuracy_unseen(vectors, labels))
    exact = (vectors.double() @ prototypes.double().T).argmax(dim=1)
    assert torch.equal(nearest, exact)
    assert seen.compute() == (exact == labels).float().mean()
    half = vectors.bfloat16()
    assert retrieval_metrics(half, labels) == retrieval_metrics(half.double(), labels)


def test_not_finite_is_an_error_not_a_low_score() -> None:
    vectors = _unit(6, 4)
    vectors[2, 1], vectors[5, 0] = torch.nan, torch.inf
    for metric in (retrieval_metrics, accuracy_unseen):
        with pytest.raises(DataError, match="2 of 6 embeddings are not finite"):
            metric(vectors, torch.arange(6) // 2)


def test_equals_go_to_the_lower_class() -> None:
    twins = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert nearest_prototype(torch.tensor([[1.0, 0.0]]), twins).tolist() == [1]
    assert nearest_prototype(torch.tensor([[1.0, 0.0]]), twins[:, None].repeat(1, 2, 1)).tolist() == [1]
