"""Photos → crops, with a detector whose faces are known: every photo is a face, with another in its middle."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from facerec.crops import ARCFACE_TEMPLATE, Photo, align, encode_png
from facerec.faces import CroppedPhoto, Face, cropping
from facerec.faces.cropping import crop_faces, crop_files


class TwoFaces:
    """Remembers how many photos it was given at once."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def find(self, photos: Sequence[Photo]) -> list[list[Face]]:
        self.batches.append(len(photos))
        return [[_face(0, min(photo.shape[:2]) - 1), _face(40, 30)] for photo in photos]


def _face(corner: float, side: float) -> Face:
    box = np.array([corner, corner, corner + side, corner + side], np.float32)
    return Face(box, (ARCFACE_TEMPLATE * side / 112 + corner).astype(np.float32), 0.9)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve photos of different sizes; every fifth is damaged."""
    folder = tmp_path_factory.mktemp("photos")
    files = [folder / f"{number:02}.png" for number in range(12)]
    for number, file in enumerate(files):
        photo = np.random.default_rng(number).integers(0, 256, (120 + number, 160, 3), dtype=np.uint8)
        file.write_bytes(encode_png(photo) if number % 5 else b"damaged")
    return files


def _crop(files: list[Path], batch_size: int, num_workers: int = 2) -> tuple[list[CroppedPhoto], list[int]]:
    detector = TwoFaces()
    batches = crop_files(
        files,
        detector,
        which="all",
        min_size=20,
        min_score=0.5,
        batch_size=batch_size,
        num_workers=num_workers,
    )
    return [photo for batch in batches for photo in batch], detector.batches


def test_every_photo_has_its_crops_or_a_reason(files: list[Path]) -> None:
    photos, batches = _crop(files, 4)
    assert [photo.file for photo in photos] == files
    assert batches == [3, 3, 3]
    for number, photo in enumerate(photos):
        if number % 5:
            assert photo.problem == ""
            assert photo.photo.shape == (120 + number, 160, 3)
            assert photo.accepted == photo.faces
            landmarks = np.array([face.landmarks for face in photo.faces])
            np.testing.assert_array_equal(photo.crops, align(photo.photo, landmarks))
        else:
            assert photo.problem.startswith("this is not a photo that can be read")
            assert (photo.faces, photo.reasons, len(photo.crops), photo.photo.size) == ([], [], 0, 0)


@pytest.mark.parametrize(("batch_size", "num_workers"), [(1, 1), (5, 3), (100, 8)])
def test_batches_change_nothing(files: list[Path], batch_size: int, num_workers: int) -> None:
    expected, _ = _crop(files, 4)
    photos, _ = _crop(files, batch_size, num_workers)
    for photo, other in zip(photos, expected, strict=True):
        assert (photo.file, photo.reasons, photo.problem) == (other.file, other.reasons, other.problem)
        np.testing.assert_array_equal(photo.crops, other.crops)


def test_large_photos_make_small_batches(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cropping, "_MAX_PIXELS", 2 * 130 * 160)
    photos, batches = _crop(files, 100)
    assert [photo.file for photo in photos] == files
    assert batches == [3, 3, 3]


def test_refused_faces_have_a_reason_and_no_crop() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    files = [Path("a.jpg"), Path("b.jpg")]
    [read, unread] = crop_faces(
        files, [photo, "no picture"], TwoFaces(), which="most_central", min_size=0, min_score=0
    )
    assert read.reasons == ["", "not most_central"]
    assert read.accepted == read.faces[:1]
    assert read.crops.shape == (1, 3, 112, 112)
    assert unread.problem == "no picture"
    [small, _] = crop_faces(files, [photo, photo], TwoFaces(), which="all", min_size=40, min_score=0)
    assert small.reasons == ["", "face too small"]
    [none] = crop_faces(files[:1], [photo], TwoFaces(), which="all", min_size=0, min_score=0.95)
    assert none.reasons == ["score too low"] * 2
    assert none.crops.shape == (0, 3, 112, 112)


def test_no_photos() -> None:
    assert _crop([], 4) == ([], [])
