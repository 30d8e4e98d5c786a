from pathlib import Path

import numpy as np
import pytest

from facerec.errors import DataError
from facerec.evaluation import by_attribute, by_images_per_identity


def test_images_per_identity() -> None:
    slices = by_images_per_identity(np.repeat([0, 1, 2, 3], [1, 3, 5, 25]))
    assert {name: int(rows.sum()) for name, rows in slices.items()} == {
        "2 to 4 images": 3,
        "5 to 9 images": 5,
        "20 or more images": 25,
    }


def test_both_sides_of_an_attribute(tmp_path: Path) -> None:
    file = tmp_path / "list_attr_celeba.txt"
    file.write_text("3\nSmiling Male\n1.jpg  1 -1\n2.jpg -1 -1\n3.jpg  1  1\n")
    slices = by_attribute(file, ["3.jpg", "2.jpg"])
    assert {name: rows.tolist() for name, rows in slices.items()} == {
        "Smiling": [True, False],
        "not Smiling": [False, True],
        "Male": [True, False],
        "not Male": [False, True],
    }
    with pytest.raises(DataError, match=r"1 of 2 images are not in it, first 9\.jpg"):
        by_attribute(file, ["1.jpg", "9.jpg"])
    file.write_text("1\nSmiling Male\n1.jpg 1\n")
    with pytest.raises(DataError, match="line 3"):
        by_attribute(file, ["1.jpg"])
    with pytest.raises(DataError, match="can't be read"):
        by_attribute(tmp_path / "none.txt", ["1.jpg"])
