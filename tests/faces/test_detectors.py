"""The default detector on a real photo that any machine has: the astronaut of scikit-image."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut
from torchvision.transforms.v2 import functional as V

from facerec.crops import ARCFACE_TEMPLATE, align, read_photo, sharpness
from facerec.crops.crop_file import crop_file
from facerec.data.orl import orl
from facerec.faces import Face, RetinaFaceDetector, WholePhoto, crop_faces

PHOTO = torch.from_numpy(astronaut()).permute(2, 0, 1).contiguous()
EYES_NOSE_MOUTH = np.array([[203, 101], [247, 103], [224, 126], [203, 139], [246, 141]], np.float32)  # by eye


@pytest.fixture(scope="module")
def detector() -> RetinaFaceDetector:
    return RetinaFaceDetector(smallest=32, min_score=0.5, batch_size=4, turns=True)


def _one(faces: list[Face]) -> Face:
    assert len(faces) == 1
    return faces[0]


def _accepted(detector: RetinaFaceDetector, photo: torch.Tensor) -> list[Face]:
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
    upright = align(PHOTO, torch.from_numpy(_one(detector.find([PHOTO])[0]).landmarks)[None])
    photo = torch.rot90(PHOTO, quarter, (1, 2)).contiguous()
    face = detector.find([photo])[0][0]
    crop = align(photo, torch.from_numpy(face.landmarks)[None])
    assert (crop.float() - upright.float()).abs().mean() < 8  # the same crop, upright


def test_panorama_with_faces_of_several_sizes(detector: RetinaFaceDetector) -> None:
    panorama = torch.full((3, 1400, 9000), 90, dtype=torch.uint8)
    places = []
    for scale, left in ((0.8, 300), (1.0, 2900), (2.6, 4200), (1.3, 7800)):
        part = V.resize(PHOTO[:, :256, 128:384], [round(256 * scale)] * 2, antialias=True)
        panorama[:, 50 : 50 + part.shape[1], left : left + part.shape[2]] = part
        places.append((EYES_NOSE_MOUTH - [128, 0]) * scale + [left, 50])
    faces = _accepted(detector, panorama)
    assert len(faces) == 4
    for face, place in zip(sorted(faces, key=lambda face: face.box[0]), places, strict=True):
        assert _apart(face, place) < 0.15


def test_half_a_face_and_none(detector: RetinaFaceDetector) -> None:
    half = PHOTO[:, :, :227].contiguous()
    face = _one(detector.find([half])[0])
    assert face.box[2] <= 226
    assert _apart(face, EYES_NOSE_MOUTH) < 0.3
    grey = torch.full((3, 480, 640), 128, dtype=torch.uint8)
    noise = torch.randint(0, 256, (3, 480, 640), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert [_accepted(detector, photo) for photo in (grey, noise)] == [[], []]


def test_many_faces_and_any_batch(detector: RetinaFaceDetector) -> None:
    head = PHOTO[:, 40:200, 140:310]
    group = head.repeat(1, 3, 5)
    faces = _accepted(detector, group)
    assert len(faces) == 15
    together = detector.find([PHOTO, group, PHOTO[:, :300]])
    for photo, found in zip([PHOTO, group, PHOTO[:, :300]], together, strict=True):
        alone = detector.find([photo])[0]
        assert len(alone) == len(found)
        for one, other in zip(alone, found, strict=True):
            np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.05)
            assert one.score == pytest.approx(other.score, abs=1e-3)


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_any_picture_is_searched(height: int, width: int, seed: int) -> None:
    photo = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed)).byte()
    detector = RetinaFaceDetector(smallest=32, min_score=0.5, batch_size=4, turns=True)
    for face in detector.find([photo])[0]:
        assert np.isfinite(face.landmarks).all()
        assert 0 <= face.box[0] <= face.box[2] <= width - 1
        assert 0 <= face.box[1] <= face.box[3] <= height - 1
        assert align(photo, torch.from_numpy(face.landmarks)[None]).shape == (1, 3, 112, 112)


def test_whole_photos_become_the_crops_of_the_data_set() -> None:
    file = orl().files[3]
    photo = read_photo(file)
    face = _one(WholePhoto().find([photo])[0])
    expected = crop_file(file, None).float()
    crop = align(photo, torch.from_numpy(face.landmarks)[None])[0].float()
    assert (crop - expected).abs()[:, 2:-2, 2:-2].mean() < 0.5
    crop_already = PHOTO[:, :112, :112]
    face = _one(WholePhoto().find([crop_already])[0])
    np.testing.assert_allclose(face.landmarks, ARCFACE_TEMPLATE, atol=1e-4)
    assert (
        align(crop_already, torch.from_numpy(face.landmarks)[None])[0].int() - crop_already.int()
    ).abs().max() <= 1


def test_blur_makes_less_sharp() -> None:
    crops = torch.stack([PHOTO[:, :112, :112], V.gaussian_blur(PHOTO[:, :112, :112], [9, 9])])
    sharp, blurred = sharpness(crops).tolist()
    assert sharp > 4 * blurred > 0
    assert sharpness(torch.full((1, 3, 112, 112), 7, dtype=torch.uint8)).item() == 0


def test_group_photos_stay_whole(detector: RetinaFaceDetector, real_data: Path) -> None:
    counted = {"sitcom/photos/bbt1.jpg": 4, "sitcom/photos/bbt4.jpg": 6, "odd/multiface.jpg": 6, "odd/32bit.png": 1}
    for name, count in counted.items():
        photo = read_photo(real_data / "albums" / name)
        assert len(_accepted(detector, photo)) == count, name
