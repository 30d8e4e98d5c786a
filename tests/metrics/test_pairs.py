import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from facerec.errors import DataError
from facerec.metrics import COARSE_GRID, GRID, PairHistograms, pair_histograms


def _by_hand(vectors: NDArray[np.float64], labels: list[int]) -> PairHistograms:
    """Every pair on its own, by the words of the docstring."""
    names = sorted(set(labels))
    genuine, impostor = np.zeros((2, 2**17 + 1), dtype=np.int64)
    genuine_of, impostor_of = np.zeros((2, len(names), 1025), dtype=np.int64)
    for x, y in itertools.combinations(range(len(labels)), 2):
        similarity = min(max(float(vectors[x] @ vectors[y]), -1.0), 1.0)
        fine = round(similarity * 2**16) + 2**16
        coarse = (fine + 64) // 128
        a, b = names.index(labels[x]), names.index(labels[y])
        if a == b:
            genuine[fine] += 1
            genuine_of[a, coarse] += 1
        else:
            impostor[fine] += 1
            impostor_of[[a, b], coarse] += 1
    return PairHistograms(genuine, impostor, genuine_of, impostor_of)


def _equal(found: PairHistograms, expected: PairHistograms) -> None:
    for name, ours, theirs in zip(found._fields, found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=name)
        assert ours.dtype == np.int64


LABELS = st.lists(st.integers(-4, 4), min_size=3, max_size=30).filter(lambda row: 1 < len(set(row)) < len(row))


@given(labels=LABELS, dim=st.integers(1, 3), chunk=st.none() | st.integers(1, 7), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_ties_and_both_ends_of_the_grid(labels: list[int], dim: int, chunk: int | None, seed: int) -> None:
    # sixteenths: many equal similarities, exactly 1 and -1 and beyond among them, and no rounding in the product
    vectors = np.random.default_rng(seed).integers(-4, 5, (len(labels), dim)) / 4
    found = pair_histograms(torch.from_numpy(vectors).float(), torch.tensor(labels), chunk=chunk)
    _equal(found, _by_hand(vectors, labels))


@given(labels=LABELS, chunk=st.none() | st.integers(1, 7), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_rounding_to_the_nearest(labels: list[int], chunk: int | None, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(len(labels), 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = pair_histograms(torch.from_numpy(vectors), torch.tensor(labels), chunk=chunk)
    _equal(found, _by_hand(vectors, labels))


def _many(device: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 300, (3_000,), generator=generator)
    # eighths of a small lattice: the product is exact in any order of summation
    vectors = torch.randint(-3, 4, (3_000, 6), generator=generator) / 8
    return vectors.to(device), labels.to(device)


GPU = (pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU with CUDA"))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=GPU)])
def test_several_blocks_by_default(device: str) -> None:
    vectors, labels = (part.cpu() for part in _many(device))
    similarity = (vectors @ vectors.T)[*torch.triu_indices(3_000, 3_000, 1)].clamp(-1, 1)
    same = (labels[:, None] == labels)[*torch.triu_indices(3_000, 3_000, 1)]
    found = pair_histograms(*_many(device))
    edges = np.append(GRID, 2.0) - 2**-17
    np.testing.assert_array_equal(found.genuine, np.histogram(similarity[same], edges)[0])
    np.testing.assert_array_equal(found.impostor, np.histogram(similarity[~same], edges)[0])
    assert len(found.genuine_of) == 300
    np.testing.assert_array_equal(found.genuine_of.sum(1), labels.bincount() * (labels.bincount() - 1) // 2)
    np.testing.assert_array_equal(found.impostor_of.sum(1), labels.bincount() * (3_000 - labels.bincount()))
    # the fine bins of a coarse one add up to it
    for fine, coarse in ((found.genuine, found.genuine_of), (2 * found.impostor, found.impostor_of)):
        np.testing.assert_array_equal(np.pad(fine, (64, 63)).reshape(1025, 128).sum(1), coarse.sum(0))


def test_grids() -> None:
    assert len(GRID) == 2**17 + 1
    assert len(COARSE_GRID) == 1025
    for grid, step in ((GRID, 2**-16), (COARSE_GRID, 2**-9)):
        assert grid[0] == -1
        assert grid[-1] == 1
        assert set(np.diff(grid)) == {step}


def test_faults_are_named() -> None:
    vectors = torch.eye(3)
    with pytest.raises(DataError, match="no identity among 3 has two samples"):
        pair_histograms(vectors, torch.arange(3))
    with pytest.raises(DataError, match="all 3 samples are of one identity"):
        pair_histograms(vectors, torch.zeros(3).long())
    with pytest.raises(DataError, match="no identity among 0"):
        pair_histograms(vectors[:0], torch.arange(0))
    with pytest.raises(DataError, match="1 of 3 embeddings are not finite"):
        pair_histograms(vectors.index_put((torch.tensor([1]),), torch.tensor(torch.nan)), torch.tensor([0, 0, 1]))
