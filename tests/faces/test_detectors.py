"""The default detector on a real photo that any machine has: the astronaut of scikit-image."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from scipy.signal import convolve2d
from skimage.data import astronaut

from facerec.crops import ARCFACE_TEMPLATE, Photo, align, read_photo, sharpness
from facerec.crops.crop_file import crop_file
from facerec.crops.resize import resize
from facerec.data.orl import orl
from facerec.faces import Face, RetinaFaceDetector, WholePhoto, crop_faces

PHOTO: Photo = astronaut()
EYES_NOSE_MOUTH = np.array([[203, 101], [247, 103], [224, 126], [203, 139], [246, 141]], np.float32)  # by eye


@pytest.fixture(scope="module")
def detector() -> RetinaFaceDetector:
    return RetinaFaceDetector(smallest=32, min_score=0.5, batch_size=4, turns=True)


def _one(faces: list[Face]) -> Face:
    assert len(faces) == 1
    return faces[0]


def _accepted(detector: RetinaFaceDetector, photo: Photo) -> list[Face]:
    [cropped] = crop_faces([Path("photo")], [photo], detector, which="all", min_size=20, min_score=0.8)
    return cropped.accepted


def _apart(face: Face, expected: np.ndarray) -> float:
    """Mean distance between landmarks, in distances between the eyes."""
    between = np.linalg.norm(expected[1] - expected[0])
    return float(np.linalg.norm(face.landmarks - expected, axis=1).mean() / between)


def test_face_is_found_where_it_is(detector: RetinaFaceDetector) -> None:
    face = _one(detector.find([PHOTO])[0])
    assert face.score > 0.99
    assert face.box.dtype == face.landmarks.dtype == np.float32
    assert face.box[0] < 203 < 247 < face.box[2]
    assert _apart(face, EYES_NOSE_MOUTH) < 0.1
    assert (face.landmarks != face.landmarks.round()).any()  # not cut to whole pixels


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_photos_that_lie_on_their_side(detector: RetinaFaceDetector, quarter: int) -> None:
    upright = align(PHOTO, _one(detector.find([PHOTO])[0]).landmarks[None])
    photo = np.rot90(PHOTO, quarter)
    face = detector.find([photo])[0][0]
    crop = align(photo, face.landmarks[None])
    assert np.abs(crop.astype(int) - upright).mean() < 8  # the same crop, upright


def test_panorama_with_faces_of_several_sizes(detector: RetinaFaceDetector) -> None:
    panorama = np.full((1400, 9000, 3), 90, np.uint8)
    places = []
    for scale, left in ((0.8, 300), (1.0, 2900), (2.6, 4200), (1.3, 7800)):
        part = resize(PHOTO[:256, 128:384], (round(256 * scale), round(256 * scale)))
        panorama[50 : 50 + part.shape[0], left : left + part.shape[1]] = part
        places.append((EYES_NOSE_MOUTH - [128, 0]) * scale + [left, 50])
    faces = _accepted(detector, panorama)
    assert len(faces) == 4
    for face, place in zip(sorted(faces, key=lambda face: face.box[0]), places, strict=True):
        assert _apart(face, place) < 0.15


def test_half_a_face_and_none(detector: RetinaFaceDetector) -> None:
    half = PHOTO[:, :227]
    face = _one(detector.find([half])[0])
    assert face.box[2] <= 226
    assert _apart(face, EYES_NOSE_MOUTH) < 0.3
    grey = np.full((480, 640, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    assert [_accepted(detector, photo) for photo in (grey, noise)] == [[], []]


def test_many_faces_and_any_batch(detector: RetinaFaceDetector) -> None:
    group = np.tile(PHOTO[40:200, 140:310], (3, 5, 1))
    faces = _accepted(detector, group)
    assert len(faces) == 15
    together = detector.find([PHOTO, group, PHOTO[:300]])
    for photo, found in zip([PHOTO, group, PHOTO[:300]], together, strict=True):
        alone = detector.find([photo])[0]
        assert len(alone) == len(found)
        for one, other in zip(alone, found, strict=True):
            np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.05)
            assert one.score == pytest.approx(other.score, abs=1e-3)


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_any_picture_is_searched(height: int, width: int, seed: int) -> None:
    photo = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    detector = RetinaFaceDetector(smallest=32, min_score=0.5, batch_size=4, turns=True)
    for face in detector.find([photo])[0]:
        assert np.isfinite(face.landmarks).all()
        assert 0 <= face.box[0] <= face.box[2] <= width - 1
        assert 0 <= face.box[1] <= face.box[3] <= height - 1
        assert align(photo, face.landmarks[None]).shape == (1, 3, 112, 112)


def test_whole_photos_become_the_crops_of_the_data_set() -> None:
    file = orl().files[3]
    photo = read_photo(file)
    face = _one(WholePhoto().find([photo])[0])
    expected = crop_file(file, None).astype(int)
    [crop] = align(photo, face.landmarks[None])
    assert np.abs(crop - expected)[:, 2:-2, 2:-2].mean() < 0.5
    crop_already = PHOTO[:112, :112]
    face = _one(WholePhoto().find([crop_already])[0])
    np.testing.assert_allclose(face.landmarks, ARCFACE_TEMPLATE, atol=1e-4)
    [crop] = align(crop_already, face.landmarks[None])
    assert np.abs(crop.transpose(1, 2, 0).astype(int) - crop_already).max() <= 1


def test_blur_makes_less_sharp() -> None:
    crop = PHOTO[:112, :112]
    blurred = np.asarray(Image.fromarray(crop).filter(ImageFilter.GaussianBlur(2)))
    assert sharpness(crop.transpose(2, 0, 1)) > 4 * sharpness(blurred.transpose(2, 0, 1)) > 0
    assert sharpness(np.full((3, 112, 112), 7, np.uint8)) == 0


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    expected = np.var(convolve2d(grey, [[0, 1, 0], [1, -4, 1], [0, 1, 0]], mode="valid"))
    assert sharpness(np.stack([grey] * 3)) == pytest.approx(expected)


def test_group_photos_stay_whole(detector: RetinaFaceDetector, real_data: Path) -> None:
    counted = {"sitcom/photos/bbt1.jpg": 4, "sitcom/photos/bbt4.jpg": 6, "odd/multiface.jpg": 6, "odd/32bit.png": 1}
    for name, count in counted.items():
        photo = read_photo(real_data / "albums" / name)
        assert len(_accepted(detector, photo)) == count, name
