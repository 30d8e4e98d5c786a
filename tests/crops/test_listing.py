"""Which files in a folder are photos: the same answer wherever a folder is given."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facerec.crops import list_photos
from facerec.data.folder import folder
from facerec.evaluation import find_images, read_pairs
from facerec.preparation import list_sources
from facerec.runtime.clutter import in_clutter, is_clutter

PHOTOS = ("Ann/a.jfif", "Ann/b.JPE", "Ann/c", "Ann/d.heic.bak", "Ann/e.jpg", "Bob/a.PNG", "Bob/broken.jpg")
CLUTTER = (
    *("Ann/@eaDir/e.jpg/SYNOPHOTO_THUMB_XL.jpg", "Ann/.ipynb_checkpoints/e-checkpoint.jpg", "Ann/._e.jpg"),
    *("Ann/e.jpg~", "Ann/f.jpg.part", "Bob/.DS_Store", "Bob/Thumbs.db", "Bob/desktop.ini"),
    *(
        "lost+found/1.jpg",
        "__MACOSX/Ann/._e.jpg",
        "#recycle/e.jpg",
        ".Trash-1000/files/e.jpg",
        "$RECYCLE.BIN/e.jpg",
    ),
)
OTHERS = ("Ann/notes.txt", "Bob/IMG_1.MOV", "Bob/IMG_2.NEF", "Bob/prices")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """What people have in folders; every file of clutter is a picture."""
    root = tmp_path / ".cache" / "album"  # where it lies does not matter
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8))
    for name in (*PHOTOS, *CLUTTER, *OTHERS):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(root / name, "JPEG")
    (root / "Ann" / "d.heic.bak").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")  # needs a decoder, and is one
    (root / "Bob" / "broken.jpg").write_bytes(b"named like one, so that its reader says what is wrong")
    (root / "Ann" / "notes.txt").write_bytes(b"BMW, not a bitmap")
    (root / "Bob" / "prices").write_bytes(b"P5 is not a picture either")
    (root / "Bob" / "IMG_1.MOV").write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\0qt  ")
    picture.save(root / "Bob" / "IMG_2.NEF", "TIFF", tiffinfo={254: 1})
    (root / "Bob" / "folder.jpg").mkdir()
    (root / "Bob" / os.fsdecode(b"not UTF-8.\xff\n")).touch()
    return root


def _below(root: Path) -> list[str]:
    return [file.relative_to(root).as_posix() for file in list_photos(root)]


def _of_people(root: Path) -> list[str]:
    for name in ("Cleo", "Dan", "Eve"):  # people enough for a data set
        shutil.copytree(root / "Bob", root / name)
        (root / name / "broken.jpg").unlink()
        shutil.copy(root / name / "a.PNG", root / name / "b.PNG")
    files = folder(str(root)).files
    return [name for file in files if (name := file.relative_to(root).as_posix())[:3] in ("Ann", "Bob")]


@pytest.mark.parametrize("listed", [_below, lambda root: list_sources(root, "0/1"), _of_people])
def test_photos_are_found_by_content_and_clutter_is_not(
    album: Path, listed: Callable[[Path], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert listed(album) == sorted(PHOTOS)
    [line] = [record.message for record in caplog.records if "passed over" in record.message]
    assert "files that are not photos" in line
    assert "that are hidden or left by other software" in line
    if listed is _below:
        assert f"passed over {len(OTHERS) + 1} files" in line
        assert ".mov 1" in line
        assert "other 2" in line
        assert f"and {len(CLUTTER)} that are hidden" in line


def test_a_photo_that_is_named_is_taken(album: Path) -> None:
    assert list_photos(album / "Ann" / "._e.jpg") == [album / "Ann" / "._e.jpg"]


def test_pictures_of_pairs_too(album: Path, tmp_path: Path) -> None:
    for name in ("Ann_0001.jfif", "Ann_0002.jpg", "._Ann_0002.jpg"):
        shutil.copy(album / "Ann" / "e.jpg", album / "Ann" / name)
    (album / "Ann" / "Ann_0001.TXT").write_text("sorts before the picture")
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("1\nAnn 1 2\nAnn 1 Bob 1\n", encoding="utf-8-sig")  # as editors on Windows write it
    found, missing = find_images(read_pairs([pairs]), album)
    assert [file.name for file in found.values()] == ["Ann_0001.jfif", "Ann_0002.jpg"]
    assert missing == ["Bob/Bob_0001"]


@given(st.text(st.characters(categories=("L", "N")), min_size=1))
def test_names_of_people_are_no_clutter(name: str) -> None:
    assert not is_clutter(name)
    assert not in_clutter(Path(f"{name} {name}/{name}.jpg"))
    assert in_clutter(Path(f"{name}/.{name}.jpg"))
    assert in_clutter(Path(f"@EADIR/{name}.jpg"))
