from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facerec.data import folder, orl
from facerec.data.images import FaceImages
from facerec.data.splits import assign_splits, choose_identities, has_images, hold_out
from facerec.errors import DataError

people = st.lists(st.integers(1, 12), min_size=6, max_size=40)


def _table(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    identities = np.array([f"p{person}" for person, count in enumerate(counts) for _ in range(count)])
    return identities, np.array([f"{number:05d}.jpg" for number in range(len(identities))])


@given(people, st.floats(0, 1), st.randoms())
@settings(deadline=None)
def test_hold_out_is_a_share_of_each_identity_and_ignores_order(counts: list[int], share: float, random) -> None:  # type: ignore[no-untyped-def]
    identities, files = _table(counts)
    held = hold_out(identities, files, share)
    for person, count in enumerate(counts):
        marked = held[identities == f"p{person}"].sum()
        assert marked <= count - 1
        assert marked == min(int(share * count + 0.5), count - 1)
    order = np.array(random.sample(range(len(files)), len(files)))
    np.testing.assert_array_equal(hold_out(identities[order], files[order], share), held[order])


@given(people, st.integers(1, 3), st.integers(0, 3))
@settings(deadline=None)
def test_parts_are_disjoint_in_identities(counts: list[int], val: int, test: int) -> None:
    identities, files = _table(counts)
    splits = assign_splits(identities, files, val, test, 0.2)
    owners = {split: set(identities[splits == split]) for split in ("train", "seen", "val", "test")}
    assert len(owners["val"]) == val
    assert len(owners["test"]) == test
    assert owners["seen"] <= owners["train"]
    assert not owners["train"] & owners["val"]
    assert not (owners["train"] | owners["val"]) & owners["test"]


@given(people, st.integers(0, 12))
@settings(deadline=None)
def test_only_training_identities_with_few_images_leave(counts: list[int], least: int) -> None:
    identities, files = _table(counts)
    splits = assign_splits(identities, files, 2, 1, 0.3)
    table = list(zip(identities.tolist(), splits.tolist(), strict=True))
    trained = {name for name, split in table if split == "train"}
    enough = {name for name in trained if sum(name == other for other, _ in table) >= least}
    if len(enough) < 2 and enough != trained:
        with pytest.raises(DataError, match=rf"dataset\.min_images: {len(enough)} of {len(trained)} training iden"):
            has_images(identities, splits, least)
        return
    wanted = [split in ("val", "test") or name in enough for name, split in table]
    assert has_images(identities, splits, least).tolist() == wanted


def test_choice_does_not_depend_on_what_else_is_known() -> None:
    names = np.array([f"n{number}" for number in range(50)])
    few = choose_identities(names[:25], 25)
    order = {name: place for place, name in enumerate(choose_identities(names, 50))}
    assert [order[name] for name in few] == sorted(order[name] for name in few)


def _images(identities: list[str], splits: list[str]) -> FaceImages:
    return FaceImages("toy", [], np.array(identities), np.array(splits))


def test_labels_number_training_identities_first() -> None:
    images = _images(["z", "a", "m", "z", "b", "b", "c", "c"], ["train", "val", "train", "seen"] + ["val"] * 4)
    assert images.num_classes == 2
    assert images.labels().tolist() == [1, 2, 0, 1, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("identities", "splits", "message"),
    [
        (
            ["a", "a", "b", "b", "c", "c"],
            ["train", "train", "val", "val", "val", "val"],
            "at least two identities",
        ),
        (["a", "b", "c", "d"], ["train", "train", "val", "val"], "validation needs two"),
        (["a", "b", "c", "c"], ["train", "train", "val", "val"], "validation needs two"),
        (["a", "b", "c", "c", "d", "a"], ["train", "train", "val", "val", "val", "test"], "several splits"),
    ],
)
def test_tables_no_experiment_can_run_on(identities: list[str], splits: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _images(identities, splits)


@pytest.mark.parametrize(
    ("people", "each", "problem", "split"),
    [
        (4, 5, "training needs", "training: 1 (5 images), validation: 2 (10 images), test: 1 (5 images)"),
        (9, 1, "validation needs", "training: 6 (6 images), validation: 2 (2 images), test: 1 (1 images)"),
    ],
)
def test_a_folder_too_small_is_told_its_split_and_its_own_keys(
    tmp_path: Path, people: int, each: int, problem: str, split: str
) -> None:
    for person in range(people):
        (tmp_path / f"p{person}").mkdir()
        for number in range(each):
            (tmp_path / f"p{person}/{number}.jpg").touch()
    with pytest.raises(DataError, match=problem) as caught:
        folder(str(tmp_path))
    assert split in str(caught.value)
    assert "dataset.val_share, dataset.test_share" in str(caught.value)


def test_a_folder_trains_on_persons_with_enough_photos(tmp_path: Path) -> None:
    for person in range(12):
        (tmp_path / f"p{person}").mkdir()
        for number in range(1 + person % 4):
            (tmp_path / f"p{person}/{number}.jpg").touch()
    every, some = folder(str(tmp_path)), folder(str(tmp_path), min_images=3)
    for split in ("val", "test"):
        names = [[images.files[row] for row in images.rows(split)] for images in (every, some)]
        assert names[0] == names[1] != []
    trained = every.identities[np.isin(every.splits, ("train", "seen"))].tolist()
    assert some.num_classes == len({name for name in trained if trained.count(name) >= 3}) < every.num_classes
    assert [file.parent.name for file in some.files] == some.identities.tolist()
    with pytest.raises(DataError, match=r"dataset\.min_images: 0 of \d+ training .* the most that two have is 3"):
        folder(str(tmp_path), min_images=5)


def test_orl_is_told_the_keys_of_orl() -> None:
    with pytest.raises(DataError, match=r"validation: 0 \(0 images\).*dataset\.val_identities, dataset"):
        orl(val_identities=0)
    with pytest.raises(DataError, match=r"training: 1 \(10 images\).*dataset\.val_identities, dataset"):
        orl(val_identities=29)
