"""Unit vectors with planted faults: these are found, and nothing else."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facerec.crops.contract import Crops
from facerec.doctor import Examination, People, examine
from facerec.doctor.levels import Highest, chance_level, low_level, tail_size
from facerec.doctor.linking import find_links, size_classes

DIM, IMAGES = 64, 8


class Planted(NamedTuple):
    """Images of 60 people by the names of 60 identities, before faults are planted."""

    vectors: NDArray[np.float32]
    names: NDArray[np.object_]
    splits: NDArray[np.object_]

    def people(self) -> People:
        return People(self.vectors, self.names.astype(str), self.splits.astype(str))


def vectors_of(centres: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float32]:
    noisy: NDArray[np.float64] = centres + 0.9 * random.normal(size=centres.shape) / np.sqrt(DIM)
    unit: NDArray[np.float32] = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)
    return unit


def plant(seed: int = 0) -> Planted:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(60, DIM))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = vectors_of(centres.repeat(IMAGES, axis=0), random)
    names = np.array([f"p{person:02d}" for person in range(60) for _ in range(IMAGES)], dtype=object)
    splits = np.array(["train"] * 40 * IMAGES + ["val"] * 10 * IMAGES + ["test"] * 10 * IMAGES, dtype=object)
    return Planted(vectors, names, splits)


def crops_of(count: int) -> Crops:
    """Crops that are all different."""
    coarse = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (count, 3, 14, 14)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (112, 112), mode="bicubic").clamp(0, 255)
    return smooth.to(torch.uint8).numpy()


CROPS = crops_of(60 * IMAGES)


def found_in(planted: Planted, crops: Crops = CROPS, **settings: object) -> Examination:
    people = planted.people()
    rows = np.linspace(0, len(people.vectors) - 1, 128).astype(np.int64)

    def embed(copies: Crops) -> NDArray[np.float32]:
        """A model that is hardly moved by what copying does."""
        assert copies.shape == (128, 3, 112, 112)
        vectors = people.vectors[rows] + np.float32(0.01)
        moved: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return moved

    return examine(people, crops, embed, **{"expected": 0.1, **settings})  # type: ignore[arg-type]


def described(examination: Examination) -> set[tuple[object, ...]]:
    return {
        (finding.kind, finding.correction.key, *finding.correction.names, *finding.correction.rows)
        for finding in examination.findings
    }


@pytest.mark.slow
def test_clean_vectors_are_healthy() -> None:
    for seed in range(5):
        assert described(found_in(plant(seed))) == set()


def test_one_person_under_two_names() -> None:
    planted = plant()
    half = np.flatnonzero(planted.names == "p03")[: IMAGES // 2]
    planted.names[half] = "p03 again"
    assert described(found_in(planted)) == {("same", "same", "p03", "p03 again")}


def test_the_same_across_splits_is_told_apart() -> None:
    planted = plant()
    half = np.flatnonzero(planted.names == "p55")[: IMAGES // 2]
    planted.names[half], planted.splits[half] = "known", "train"
    assert described(found_in(planted)) == {("across", "same", "known", "p55")}


def test_two_people_under_one_name() -> None:
    planted = plant()
    moved = np.flatnonzero(planted.names == "p04")[:3]
    planted.names[planted.names == "p04"] = "nobody"
    planted.names[moved] = "p05"
    lost = planted.names != "nobody"  # nobody else is like the three
    planted = Planted(planted.vectors[lost], planted.names[lost], planted.splits[lost])
    rows = [int(row) for row in np.flatnonzero(planted.names == "p05")[:3]]
    assert described(found_in(planted, CROPS[lost])) == {("mixture", "split", "p05-2", *rows)}


def test_an_image_of_somebody_else_and_one_of_nobody() -> None:
    planted = plant()
    theirs, alone = (int(np.flatnonzero(planted.names == name)[2]) for name in ("p10", "p20"))
    planted.names[theirs] = "p11"
    other = np.random.default_rng(9).normal(size=(1, DIM))
    planted.vectors[alone] = vectors_of(other / np.linalg.norm(other), np.random.default_rng(8))[0]
    examination = found_in(planted)
    assert described(examination) == {("stranger", "move", "p10", theirs), ("lone", "drop", alone)}
    assert [finding.sure for finding in examination.findings] == [True, False]


def test_a_photo_twice_needs_equal_vectors_and_equal_crops() -> None:
    planted, crops = plant(), CROPS.copy()
    for original, copy in ((0, 1), (16, 24), (32, 33)):
        planted.vectors[copy] = planted.vectors[original]
    crops[1] = np.roll(crops[0], 2, axis=1)  # cropped a little off
    crops[24] = (crops[16] * 0.7).astype(np.uint8)  # darker; 33 is another photo
    crops[41] = crops[40]  # and this one has another vector
    found = found_in(planted, crops)
    assert ("double", "drop", 1) in described(found) or ("double", "drop", 0) in described(found)
    doubles = [finding for finding in found.findings if finding.kind == "double"]
    assert [{int(group.rows[0]) for group in finding.groups} for finding in doubles] == [{16, 24}, {0, 1}]
    assert {finding.kind for finding in found.findings} <= {"double", "stranger", "lone"}


def test_people_of_another_data_set() -> None:
    planted, others = plant(), plant(7)
    others.vectors[:IMAGES] = (
        planted.vectors[:IMAGES] + vectors_of(np.zeros((IMAGES, DIM)), np.random.default_rng(3)) * 0.3
    )
    others.vectors[:IMAGES] /= np.linalg.norm(others.vectors[:IMAGES], axis=1, keepdims=True)
    others.names[others.names == "p00"] = "theirs"
    examination = found_in(planted, against=others.people())
    assert described(examination) == {("shared", "exclude", "p00")}
    assert [group.against for group in examination.findings[0].groups] == [False, True]
    assert examination.findings[0].groups[1].title == "theirs: 8 images"


@pytest.mark.parametrize("sizes", [(1, 1), (1, 8), (3, 2)])
def test_links_are_means_over_all_pairs(sizes: tuple[int, int]) -> None:
    planted = plant()
    kept = np.r_[0 : sizes[0], IMAGES : IMAGES + sizes[1], 2 * IMAGES : len(planted.names)]
    people = Planted(*(column[kept] for column in planted)).people()  # type: ignore[arg-type]
    pairs = people.vectors[: sizes[0]].astype(np.float64) @ people.vectors[sizes[0] : sum(sizes)].T.astype(
        np.float64
    )
    assert people.means[0] @ people.means[1] == pytest.approx(pairs.mean(), abs=1e-6)
    rows = people.rows(5)
    similarities = people.vectors[rows].astype(np.float64) @ people.vectors[rows].T
    off = similarities[~np.eye(len(rows), dtype=bool)].reshape(len(rows), -1)
    assert people.within[5] == pytest.approx(off.mean(), abs=1e-6)
    np.testing.assert_allclose(people.own[rows], off.mean(axis=1), atol=1e-6)


def test_the_number_of_false_links_is_held() -> None:
    """Of 100 data sets without faults, ten false findings each at the most are expected."""
    false = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        centres = random.normal(size=(80, 16))
        vectors = (centres / np.linalg.norm(centres, axis=1, keepdims=True)).astype(np.float32)
        names = np.array([f"p{person}" for person in range(80)])
        false += len(find_links(People(vectors, names, np.full(80, "train")), 10))
    assert 0 < false <= 1000


@given(st.lists(st.integers(1, 40), min_size=2, max_size=60), st.lists(st.integers(1, 40), max_size=60))
def test_classes_of_sizes_hold_every_pair_once(counts: list[int], others: list[int]) -> None:
    left, right = np.array(counts), np.array(others or counts)
    smaller = np.minimum.outer(left, right)
    values = smaller.ravel() if others else smaller[np.triu_indices(len(left), 1)]
    classes = size_classes(left, right if others else None)
    assert [int(((values >= c.least) & (values <= c.most)).sum()) for c in classes] == [c.pairs for c in classes]
    assert sum(c.pairs for c in classes) == len(values)


@given(st.integers(1, 30), st.integers(1, 12), st.randoms())
def test_the_highest_are_those_of_a_sort(count: int, rows: int, random: object) -> None:
    values = torch.rand(rows, 9)
    wanted = torch.rand(rows, 9) > 0.3
    highest = Highest(count)
    for start, block in _blocks(values):
        highest.add(block, wanted[start : start + len(block)], start)
    expected = np.sort(values[wanted].numpy())[::-1][:count]
    assert highest.values.tolist() == expected.tolist()
    assert values[tuple(highest.places.T)].tolist() == expected.tolist()


def _blocks(values: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
    yield from ((start, values[start : start + 4]) for start in range(0, len(values), 4))


@pytest.mark.parametrize("expected", [2, 20, 200])
def test_levels_hold_what_they_promise(expected: float) -> None:
    random = np.random.default_rng(0)
    values, fresh = random.normal(0.1, 0.1, 400_000), random.normal(0.1, 0.1, 20_000_000)

    def level(similarities: NDArray[np.float64]) -> float:
        highest = np.sort(similarities)[::-1][: tail_size(len(similarities))]
        return chance_level(highest, len(similarities), expected)

    assert 50 * expected / 3 < (fresh >= level(values)).sum() < 50 * expected * 3
    # what is looked for hardly moves it
    assert level(np.append(values, np.full(50, 0.9))) == pytest.approx(level(values), abs=0.015)


def test_too_few_to_tell() -> None:
    assert chance_level(np.linspace(0, 1, 19), 100, 1) == np.inf
    assert low_level(np.linspace(0, 1, 19), 1) == -np.inf


def test_the_low_level_is_a_quantile_of_the_normal() -> None:
    values = np.random.default_rng(0).normal(3, 2, 100_000)
    assert (values <= low_level(values, 100)).sum() == pytest.approx(100, rel=0.3)
