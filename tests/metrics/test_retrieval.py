from collections.abc import Callable
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from torch import Tensor

from facerec.errors import DataError
from facerec.metrics import ranks, retrieval_metrics, retrieval_per_query
from facerec.metrics.half_products import exact_products, half_factors

NAMES = ("mean_average_precision_at_r", "precision_at_1", "r_precision")


def _wrong_first(labels: Tensor) -> Callable[..., tuple[Tensor, Tensor]]:
    """All-pairs ranking of whole numbers for the peer's calculator; of equals, other identities first."""

    def neighbours(
        query: Tensor, k: int, reference: Tensor, ref_includes_query: bool = False
    ) -> tuple[Tensor, Tensor]:
        similarity = query.double() @ reference.double().T - 0.5 * (labels[:, None] == labels)
        if ref_includes_query:
            similarity.fill_diagonal_(-torch.inf)
        order = similarity.argsort(dim=1, descending=True, stable=True)[:, :k]
        return -similarity.gather(1, order), order

    return neighbours


def _peer(embeddings: Tensor, labels: Tensor, neighbours: object = None) -> list[float]:
    calculator = AccuracyCalculator(
        include=NAMES, k="max_bin_count", knn_func=neighbours, device=torch.device("cpu")
    )
    values = calculator.get_accuracy(embeddings, labels)
    return [values[name] for name in NAMES]


@given(
    labels=st.lists(st.integers(0, 6), min_size=2, max_size=40).filter(lambda row: len(set(row)) < len(row)),
    dim=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=150)
def test_equals_the_peer_with_ties_lone_identities_and_unequal_counts(
    labels: list[int], dim: int, seed: int
) -> None:
    # small whole numbers: many equal similarities, and no rounding
    vectors = torch.from_numpy(np.random.default_rng(seed).integers(-2, 3, (len(labels), dim))).float()
    numbers = torch.tensor(labels)
    np.testing.assert_allclose(
        retrieval_metrics(vectors, numbers), _peer(vectors, numbers, _wrong_first(numbers)), atol=1e-6
    )


@pytest.mark.parametrize("dim", [2, 4, 9])
@pytest.mark.parametrize("limit", [{}, {"_PLACES": 900}, {"_HELD": 50}, {"_DENSE": 0}])
def test_equals_the_peer_with_ties_over_tiles_groups_and_sorted_rows(
    dim: int, limit: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in limit.items():
        monkeypatch.setattr(ranks, name, value)
    random = np.random.default_rng(dim)
    labels = torch.from_numpy(random.integers(0, 400, 2011))  # 5 of a person, 1 to 14
    vectors = torch.from_numpy(random.integers(-3, 4, (2011, dim))).float()
    np.testing.assert_allclose(
        retrieval_metrics(vectors, labels, block=256), _peer(vectors, labels, _wrong_first(labels)), atol=1e-6
    )


@pytest.mark.parametrize("count", [30, 999, 3000])
def test_a_model_that_maps_all_to_one_point_retrieves_nothing(count: int) -> None:
    one = torch.nn.functional.normalize(torch.randn(1, 128, generator=torch.Generator().manual_seed(count)))
    vectors = one.repeat(count, 1)  # rounded similarities, equal all the same
    assert retrieval_metrics(vectors, torch.arange(count) // 3) == (0, 0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_peer_with_its_own_search(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 60, (700,), generator=generator) * 1000 - 7
    vectors = torch.randn(60, 16, generator=generator)[(labels + 7) // 1000]
    vectors = torch.nn.functional.normalize(vectors + torch.randn(700, 16, generator=generator) * 1.5, dim=1)
    np.testing.assert_allclose(retrieval_metrics(vectors, labels), _peer(vectors, labels), atol=1e-6)
    np.testing.assert_allclose(
        retrieval_metrics(vectors, labels),
        _peer(vectors, labels, CustomKNN(_Dot(), batch_size=64)),
        atol=1e-6,
    )


class _Dot(torch.nn.Module):
    """A similarity for the peer's own brute-force search."""

    is_inverted = True

    def forward(self, query: Tensor, reference: Tensor) -> Tensor:
        return query @ reference.T


def _by_the_formula(embeddings: np.ndarray, labels: np.ndarray) -> np.ndarray:
    rows = []
    for query in range(len(labels)):
        others = [row for row in range(len(labels)) if row != query]
        others.sort(key=lambda row: (-float(embeddings[query] @ embeddings[row]), labels[row] == labels[query]))
        hits = [bool(labels[row] == labels[query]) for row in others]
        r = sum(hits)
        if r:
            precision = [sum(hits[:i]) / i for i in range(1, r + 1)]
            rows.append([sum(p * h for p, h in zip(precision, hits, strict=False)) / r, hits[0], precision[-1]])
    return np.array(rows, dtype=float)


@given(
    st.lists(st.integers(0, 4), min_size=5, max_size=90),
    st.sampled_from([8, 16, 24, 64]),
    st.sampled_from([0, 1]),
    st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=100)
def test_each_query_follows_the_formula_by_tiles_and_by_sorting(
    labels: list[int], block: int, dense: int, seed: int
) -> None:
    if len(set(labels)) == len(labels):
        labels[0] = labels[1]
    vectors = np.random.default_rng(seed).integers(-1, 2, (len(labels), 2)).astype(np.float32)
    with mock.patch.object(ranks, "_DENSE", dense):  # 0: always by sorting, 1: never
        found = retrieval_per_query(torch.from_numpy(vectors), torch.tensor(labels), block=block)
    np.testing.assert_allclose(torch.stack(found[1:], 1), _by_the_formula(vectors, np.array(labels)), atol=1e-12)


def test_best_and_worst() -> None:
    vectors = torch.eye(4)[[0, 0, 1, 1, 2, 2]]
    assert retrieval_metrics(vectors, torch.tensor([5, 5, 6, 6, 7, 7])) == (1, 1, 1)
    assert retrieval_metrics(vectors, torch.tensor([5, 6, 5, 7, 6, 7])) == (0, 0, 0)


def test_faults_are_named() -> None:
    vectors = torch.eye(3)
    with pytest.raises(DataError, match="no identity among 3 has two samples"):
        retrieval_metrics(vectors, torch.arange(3))
    with pytest.raises(DataError, match="1 of 3 embeddings are not finite"):
        retrieval_metrics(vectors.index_put((torch.tensor([1]),), torch.tensor(torch.nan)), torch.zeros(3).long())


@pytest.fixture
def in_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles in half precision also on a CPU, however large identities are."""
    monkeypatch.setattr(ranks, "_HALF", {"cpu"})
    monkeypatch.setattr(ranks, "_DENSE", 1)
    monkeypatch.setattr(ranks, "_FEW", 1)


def _equal(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> None:
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, wanted, strict=True))


@pytest.mark.usefixtures("in_half")
@pytest.mark.parametrize("length", [2.0**-70, 2.0**-10, 1.0, 2.0**45])
@given(
    labels=st.lists(st.integers(0, 12), min_size=5, max_size=120).filter(lambda row: len(set(row)) < len(row)),
    dim=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_half_precision_changes_no_value(length: float, labels: list[int], dim: int, seed: int) -> None:
    # float32 holds products of such numbers exactly, half precision not even all of the numbers
    random = np.random.default_rng(seed)
    vectors = random.integers(-2300, 2301, (len(labels), dim))
    vectors[random.random(len(labels)) < 0.3] = vectors[0]  # duplicates
    vectors += random.integers(-1, 2, vectors.shape) * (random.random(vectors.shape) < 0.1)  # nearly
    given = torch.from_numpy(vectors * length).float(), torch.tensor(labels)
    found = retrieval_per_query(*given, block=16)
    with mock.patch.object(ranks, "_HALF", set()):
        _equal(found, retrieval_per_query(*given, block=16))


@pytest.mark.usefixtures("in_half")
@pytest.mark.parametrize("scattered", [0.05, 0.3, 3])
def test_half_precision_changes_no_value_of_many_vectors(scattered: float) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(3000) // 6
    lengths = torch.rand(3000, 1, generator=generator) * 3
    vectors = torch.randn(500, 96, generator=generator)[labels]
    vectors = (vectors + scattered * torch.randn(3000, 96, generator=generator)) * lengths
    found = retrieval_per_query(vectors, labels)
    with mock.patch.object(ranks, "_HALF", set()):
        _equal(found, retrieval_per_query(vectors.double(), labels))


@pytest.mark.usefixtures("in_half")
def test_in_half_precision_too_one_point_retrieves_nothing() -> None:
    test_a_model_that_maps_all_to_one_point_retrieves_nothing(3000)


@given(st.integers(1, 40), st.integers(1, 2000), st.floats(-30, 15), st.integers(0, 2**31))
@settings(deadline=None, max_examples=100)
def test_products_of_half_factors_are_no_further_below_than_they_say(
    count: int, dim: int, octave: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, dim, generator=generator) * torch.rand(count, 1, generator=generator) * 2**octave
    factors = half_factors(vectors)
    computed = (factors.vectors.float() @ factors.vectors.float().T).half()
    every = torch.arange(count)
    exact = exact_products(vectors, every.repeat_interleave(count), every.repeat(count)).view(count, count)
    assert (computed >= factors.floor(exact)).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU with CUDA")
@pytest.mark.parametrize("dim", [2, 127, 384])
def test_a_gpu_finds_the_values_of_a_cpu(dim: int) -> None:
    random = np.random.default_rng(dim)
    labels = torch.from_numpy(random.integers(0, 4000, 20_000))
    vectors = torch.from_numpy(random.integers(-64, 65, (4000, dim))).float()[labels]
    vectors += torch.from_numpy(random.integers(-80, 81, vectors.shape)).float()  # no rounding in float32
    _equal(retrieval_per_query(vectors.cuda(), labels.cuda()), retrieval_per_query(vectors, labels))
