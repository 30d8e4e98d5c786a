import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facerec.errors import DataError
from facerec.metrics import SeenAccuracy, accuracy_unseen, nearest_prototype, unseen_per_probe


def _by_hand(embeddings: np.ndarray, labels: np.ndarray) -> dict[int, bool]:
    """Whether each probe, by its row, is named rightly."""
    enrolled: dict[int, list[np.ndarray]] = {}
    probes = []
    seen: dict[int, int] = {}
    for row, (vector, label) in enumerate(zip(embeddings, labels.tolist(), strict=True)):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] % 2:
            enrolled.setdefault(label, []).append(vector)
        else:
            probes.append((row, vector, label))
    names = sorted(enrolled)
    means = [np.mean(enrolled[name], axis=0) for name in names]
    prototypes = np.array([mean / np.linalg.norm(mean) for mean in means])
    return {row: names[int(np.argmax(prototypes @ vector))] == label for row, vector, label in probes}


@given(st.lists(st.integers(-3, 9), min_size=3, max_size=60), st.integers(0, 2**31))
@settings(deadline=None)
def test_unseen_equals_counting_by_hand(labels: list[int], seed: int) -> None:
    if len(set(labels)) == len(labels):
        labels[0] = labels[1]
    vectors = np.random.default_rng(seed).normal(size=(len(labels), 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = _by_hand(vectors, np.array(labels))
    rows, correct = unseen_per_probe(torch.from_numpy(vectors), torch.tensor(labels))
    assert dict(zip(rows.tolist(), correct.tolist(), strict=True)) == expected
    found = accuracy_unseen(torch.from_numpy(vectors), torch.tensor(labels))
    assert found == pytest.approx(np.mean(list(expected.values())), abs=1e-12)


def test_people_with_one_sample_distract_but_are_not_asked_for() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.6, 0.8]])
    assert accuracy_unseen(vectors[:2], torch.tensor([0, 0])) == 1
    assert accuracy_unseen(vectors, torch.tensor([0, 0, 1])) == 0
    with pytest.raises(DataError, match="there is no probe"):
        accuracy_unseen(vectors, torch.arange(3))


def test_nearest_of_several_centres() -> None:
    centres = torch.eye(4).reshape(2, 2, 4)
    assert nearest_prototype(torch.eye(4), centres).tolist() == [0, 0, 1, 1]
    assert nearest_prototype(torch.eye(4), torch.eye(4)).tolist() == [0, 1, 2, 3]


def test_seen_counts_over_batches() -> None:
    metric = SeenAccuracy()
    metric.update(torch.eye(3), torch.tensor([0, 1, 0]), torch.eye(3))
    metric.update(torch.eye(3)[:1], torch.tensor([0]), torch.eye(3))
    assert metric.compute() == 0.75
