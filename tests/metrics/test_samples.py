"""How many chances of a false match several samples of a person give."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from facerec.metrics import sample_exponent


def people(spread: float, persons: int = 12, samples: int = 6, dim: int = 4) -> tuple[Tensor, Tensor]:
    """Unit vectors around a random direction for each person, and labels in a mixed order."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(persons, 1, dim, generator=generator, dtype=torch.float64)
    noise = torch.randn(persons, samples, dim, generator=generator, dtype=torch.float64)
    order = torch.randperm(persons * samples, generator=generator)
    vectors = torch.nn.functional.normalize(centres + spread * noise, dim=-1).flatten(0, 1)
    return vectors[order], torch.arange(persons).repeat_interleave(samples)[order]


def test_it_is_that_of_all_choices_of_samples() -> None:
    vectors, labels = people(0.8)
    kept = torch.rand(len(labels), generator=torch.Generator().manual_seed(0)) < 0.8
    vectors, labels = vectors[kept], labels[kept]
    sizes = labels.bincount()
    assert len(set(sizes.tolist())) > 2
    threshold, similarity = 0.6, vectors @ vectors.T
    rates: dict[int, list[float]] = {1: [], 3: []}
    for row, label in enumerate(labels):
        for other in labels.unique():
            if other != label and sizes[other] >= 3:
                hits = similarity[row, labels == other] >= threshold
                for k, found in rates.items():
                    found.append(float(np.mean([any(choice) for choice in combinations(hits.tolist(), k)])))
    expected = np.log(np.mean(rates[3]) / np.mean(rates[1])) / np.log(3)
    assert 0 < expected < 1
    assert sample_exponent(vectors, labels, threshold, (3,)) == pytest.approx(expected, rel=1e-6)


def test_equal_samples_are_worth_one_and_independent_ones_are_worth_all() -> None:
    vectors, labels = people(0)
    assert sample_exponent(vectors, labels, 0.6, (3,)) == pytest.approx(0, abs=1e-9)
    vectors, labels = people(1e6, persons=100, dim=32)
    exponent = sample_exponent(vectors, labels, 0.55, (3,))
    assert exponent == pytest.approx(1, abs=0.01)


def test_none_where_it_can_not_be_told() -> None:
    vectors, labels = people(0.8)
    assert sample_exponent(vectors, labels, 2.0) is None  # nobody is falsely matched
    assert sample_exponent(vectors, labels, 0.6, (7,)) is None  # nobody has seven samples
    few = labels < 9
    assert sample_exponent(vectors[few], labels[few], 0.6) is None
