from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from facerec.errors import DataError
from facerec.metrics import identification_points, mean_interval, open_set_probes, unseen_per_probe
from facerec.metrics.identification import IdentificationPoint


def _open_set(
    embeddings: Tensor, labels: Tensor, known: Tensor, rates: Sequence[float] = (0.1, 0.01)
) -> list[IdentificationPoint]:
    return identification_points(open_set_probes(embeddings, labels, known), rates)


def _by_hand(
    vectors: NDArray[np.float64], labels: list[int], known: list[bool]
) -> tuple[dict[int, tuple[bool, float]], dict[int, float]]:
    """Per row: whether the nearest prototype is right and how near it is; for non-mated probes how near."""
    seen: dict[int, int] = {}
    enrolled: dict[int, list[NDArray[np.float64]]] = {}
    probes = []
    for row, label in enumerate(labels):
        if known[row]:
            seen[label] = seen.get(label, 0) + 1
            if seen[label] % 2:
                enrolled.setdefault(label, []).append(vectors[row])
            else:
                probes.append(row)
    means = {name: np.mean(rows, axis=0) for name, rows in enrolled.items()}
    prototypes = {name: mean / np.linalg.norm(mean) for name, mean in means.items()}

    def best(row: int) -> tuple[int, float]:
        return max(((name, float(p @ vectors[row])) for name, p in prototypes.items()), key=lambda pair: pair[1])

    named = {row: (best(row)[0] == labels[row], best(row)[1]) for row in probes}
    return named, {row: best(row)[1] for row in range(len(labels)) if not known[row]}


@given(st.lists(st.integers(0, 8), min_size=4, max_size=60), st.integers(0, 2**31), st.floats(0, 1))
@settings(deadline=None, max_examples=80)
def test_equals_counting_by_hand(labels: list[int], seed: int, rate: float) -> None:
    known = [label % 2 == 0 for label in labels]
    assume(not all(known) and any(known[row] and labels[row] in labels[:row] for row in range(len(labels))))
    vectors = np.random.default_rng(seed).normal(size=(len(labels), 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    named, non_mated = _by_hand(vectors, labels, known)
    asked = torch.from_numpy(vectors), torch.tensor(labels), torch.tensor(known)
    probes = open_set_probes(*asked)
    assert probes.rows.tolist() == list(named)
    assert probes.right.tolist() == [right for right, _ in named.values()]
    np.testing.assert_allclose(probes.similarity, [near for _, near in named.values()], atol=1e-12)
    assert probes.non_mated_rows.tolist() == list(non_mated)
    np.testing.assert_allclose(probes.non_mated_similarity, list(non_mated.values()), atol=1e-12)

    (point,) = _open_set(*asked, rates=[rate])
    nearness = probes.non_mated_similarity.numpy()
    assert point.target_fpir == rate
    assert point.fpir == np.mean(nearness >= point.threshold) <= rate
    found = probes.right.numpy() & (probes.similarity.numpy() >= point.threshold)
    assert point.dir == pytest.approx(found.mean(), abs=1e-12)
    # a number lower is too low
    assert point.threshold == -1 or np.mean(nearness >= np.nextafter(point.threshold, -2)) > rate


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_at_the_threshold_are_turned_away_together(dtype: torch.dtype) -> None:
    vectors = torch.tensor([[1, 0], [1, 0], [0.6, 0.8], [0.6, 0.8], [-1, 0], [0, 1]], dtype=dtype)
    labels, known = torch.tensor([0, 0, 1, 1, 2, 3]), torch.tensor([True, True, False, False, False, False])
    points = _open_set(vectors, labels, known, [1, 0.75, 0.5, 0.25, 0])
    assert [point.fpir for point in points] == [1, 0.75, 0.5, 0, 0]
    assert [point.dir for point in points] == [1, 1, 1, 1, 1]
    # rounding may carry a cosine beyond -1, and there too everybody is let in
    points = _open_set(vectors[[0, 1, 4]] * (1 + 1e-6), torch.tensor([0, 0, 1]), torch.arange(3) < 2, [1])
    assert (points[0].fpir, points[0].threshold) == (1, -1)
    # a stranger who looks just like somebody enrolled: only nobody is safe
    points = _open_set(vectors[[0, 1, 0]], torch.tensor([0, 0, 1]), torch.tensor([True, True, False]), [0.5])
    assert (points[0].fpir, points[0].dir) == (0, 0)
    assert 1 < points[0].threshold < 1.000001


def test_without_a_threshold_it_is_closed_set_accuracy_and_probes_give_intervals() -> None:
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(0, 40, (400,), generator=generator)
    vectors = torch.randn(40, 8, generator=generator)[labels] + torch.randn(400, 8, generator=generator)
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    known = labels < 25
    probes = open_set_probes(vectors, labels, known)
    rows, correct = unseen_per_probe(vectors[known], labels[known])
    assert torch.equal(probes.right, correct)
    assert torch.equal(probes.rows, known.nonzero().squeeze(1)[rows])
    everybody, strict = identification_points(probes, [1.0, 0.05])
    assert everybody.dir == pytest.approx(float(correct.double().mean()), abs=1e-12)
    interval = mean_interval(probes.identified(strict.threshold), labels[probes.rows], resamples=200)
    assert interval.value == pytest.approx(strict.dir, abs=1e-12)
    assert interval.low < interval.value < interval.high
    alarms = mean_interval(probes.alarms(strict.threshold), labels[probes.non_mated_rows], resamples=200)
    assert alarms.value == pytest.approx(strict.fpir, abs=1e-12)


def test_faults_are_named() -> None:
    vectors, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    with pytest.raises(DataError, match="1 identities are known in part, such as label 1"):
        _open_set(vectors, labels, torch.tensor([True, True, True, False]))
    with pytest.raises(DataError, match="no non-mated probe"):
        _open_set(vectors, labels, torch.ones(4).bool())
    with pytest.raises(DataError, match="there is no probe"):
        _open_set(vectors, labels, torch.zeros(4).bool())
    with pytest.raises(DataError, match="4 of 4 embeddings are not finite"):
        _open_set(vectors / 0, labels, labels == 0)
    with pytest.raises(ValueError, match="rate is within"):
        _open_set(vectors, labels, labels == 0, [1.5])
