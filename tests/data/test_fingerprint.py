import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facerec.data import FaceImages, folder
from facerec.data.fingerprint import crops_fingerprint, data_fingerprint, files_fingerprint, list_fingerprint
from facerec.errors import DataError


@pytest.fixture
def images(tmp_path: Path) -> FaceImages:
    """6 people, 3 files each: nothing here is decoded."""
    for person in range(6):
        for number in range(3):
            file = tmp_path / "people" / f"p{person}" / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes([person, number]))
    return folder(str(tmp_path / "people"))


def test_a_copy_with_new_dates_is_the_same_data(images: FaceImages, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    found = data_fingerprint(images, cache), crops_fingerprint(images, cache)
    copied = folder(str(shutil.copytree(tmp_path / "people", tmp_path / "elsewhere/people")))
    for file in copied.files:
        os.utime(file, (1, 1))
    assert (data_fingerprint(copied, cache), crops_fingerprint(copied, cache)) == found
    assert (data_fingerprint(copied, tmp_path / "other"), crops_fingerprint(copied, cache)) == found


def test_whatever_decides_a_result_is_part_of_it(images: FaceImages, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    crops, data = crops_fingerprint(images, cache), data_fingerprint(images, cache)
    moved = images.splits.copy()
    moved[images.rows("train")[0]] = "seen"
    renamed = np.char.add(images.identities, "x")
    for other in (replace(images, splits=moved), replace(images, identities=renamed)):
        assert crops_fingerprint(other, cache) == crops
        assert data_fingerprint(other, cache) != data
    marked = replace(images, landmarks=np.zeros((18, 5, 2), np.float32))
    assert crops_fingerprint(marked, cache) != crops
    status = images.files[4].stat()
    images.files[4].write_bytes(b"ab")  # of the same size, at the same time
    os.utime(images.files[4], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert crops_fingerprint(images, cache) != crops
    assert data_fingerprint(images, cache) != data


def test_files_are_read_once(images: FaceImages, tmp_path: Path) -> None:
    first = files_fingerprint(images.files, tmp_path / "cache")
    (known,) = (tmp_path / "cache").iterdir()
    known.write_text("0123456789abcdef")
    assert files_fingerprint(images.files, tmp_path / "cache") == "0123456789abcdef"
    known.write_text("half")
    assert files_fingerprint(images.files, tmp_path / "cache") == first


def test_names_need_not_be_utf_8(images: FaceImages, tmp_path: Path) -> None:
    person = os.fsdecode(os.fsencode(tmp_path / "people") + b"/J\xfcrgen")
    shutil.copytree(tmp_path / "people/p1", person)
    named = folder(str(tmp_path / "people"))
    assert len(named.files) == 21
    assert data_fingerprint(named, tmp_path) != data_fingerprint(images, tmp_path)
    assert len(named.identity_digests("train", "seen", "val", "test")) == 7


def test_what_can_not_be_read_or_written_is_named(images: FaceImages, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg can't be read \(No such file"):
        files_fingerprint([tmp_path / "gone.jpg"], tmp_path / "cache")
    with pytest.raises(DataError, match=r"gone\.txt can't be read"):
        list_fingerprint(tmp_path / "gone.txt")
    (tmp_path / "taken").touch()
    with pytest.raises(DataError, match=r"data\.cache_dir: .*taken can't be written"):
        files_fingerprint(images.files, tmp_path / "taken")
