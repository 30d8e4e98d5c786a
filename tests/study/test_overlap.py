"""People of ORL who are measured under one name and trained on under another, found by their faces."""

from pathlib import Path

import numpy as np
import pytest

from facerec.data import FaceImages, open_crops, orl
from facerec.models import open_model
from facerec.models.catalogue import find_entry, weights_file
from facerec.study.overlap import shared_by_face


@pytest.mark.parametrize("shared", [0, 2])
def test_people_with_two_names_are_found_and_nobody_else(tmp_path: Path, shared: int) -> None:
    if not weights_file(find_entry("sface")).exists():
        pytest.skip("the weights of sface are not in the user's cache: facerec models get sface")
    whole = orl()
    assert whole.landmarks is not None
    person = np.array([int(name[1:]) for name in whole.identities])  # 1 to 40
    photo = np.tile(np.arange(10), 40)

    def made(rows: np.ndarray, names: np.ndarray, split: str) -> FaceImages:
        """A data set of these rows in one split, and of four more people in the others."""
        more = np.flatnonzero(person > 36)
        others = np.where(person[more] > 38, "train" if split == "test" else "test", "val")
        assert whole.landmarks is not None
        return FaceImages(
            f"toy {split}",
            [whole.files[row] for row in (*rows, *more)],
            np.array([*names, *(f"extra {person[row]}" for row in more)]),
            np.array([*[split] * len(rows), *others]),
            whole.landmarks[[*rows, *more]],
        )

    measured = np.flatnonzero((person <= 12) & (photo < 5))
    trained = np.flatnonzero((person > 12 - shared) & (person <= 36) & (photo >= 5))
    ours = made(measured, np.char.add("ours ", person[measured].astype(str)), "test")
    theirs = made(trained, np.char.add("theirs ", person[trained].astype(str)), "train")
    first, second = ((images, open_crops(images, tmp_path, 0)) for images in (ours, theirs))
    judge = open_model("sface", offline=True)
    settings = {"cache": tmp_path, "batch_size": 64}
    pairs = shared_by_face(first, second, judge, split="test", expected=0.1, **settings)  # type: ignore[arg-type]
    expected = {(f"ours {number}", f"theirs {number}") for number in range(12, 12 - shared, -1)}
    assert {(pair.measured, pair.trained) for pair in pairs} == expected
