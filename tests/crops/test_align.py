from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut
from skimage.transform import SimilarityTransform
from skimage.transform import warp as skimage_warp
from torchvision.transforms.v2 import functional as V

from facerec.crops import ARCFACE_TEMPLATE, Photo, align, read_photo, similarity_transform, warp
from facerec.crops.align import _reduce


@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.1, 10),
    shift=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=100)
def test_transform_equals_scikit_image(angle: float, scale: float, shift: tuple[float, float], seed: int) -> None:
    placed = SimilarityTransform(rotation=angle, scale=scale, translation=shift)
    points = placed(ARCFACE_TEMPLATE) + np.random.default_rng(seed).normal(0, scale, (5, 2))
    expected = SimilarityTransform.from_estimate(points, ARCFACE_TEMPLATE).params[:2]
    np.testing.assert_allclose(similarity_transform(points), expected, rtol=1e-4, atol=1e-4)


def _smooth_picture(height: int, width: int) -> Photo:
    noise = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(1)) * 255
    picture = F.interpolate(noise, (height, width), mode="bicubic", align_corners=False)
    return picture[0].clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("scale", "tolerance"), [(2.0, 1.0), (1.0, 1.0), (0.45, 3.0)])
def test_warp_equals_scikit_image(scale: float, tolerance: float) -> None:
    picture = _smooth_picture(260, 300)
    placed = SimilarityTransform(rotation=0.2, scale=1 / scale, translation=(20, 10))
    matrix = similarity_transform(placed(ARCFACE_TEMPLATE))
    expected = skimage_warp(picture, placed, output_shape=(112, 112), order=1, preserve_range=True)
    assert np.abs(warp(picture, matrix).astype(float) - expected).mean() < tolerance


def _warp_in_torch(photo: Photo, landmarks: np.ndarray) -> np.ndarray:
    """The crop as PyTorch samples it: float32 and bilinear, each sample computed in full."""
    part, transform = _reduce(photo, similarity_transform(landmarks))
    height, width = part.shape[:2]
    y, x = np.mgrid[:112, :112]
    places = np.linalg.inv(transform) @ np.stack([x.ravel(), y.ravel(), np.ones(112 * 112)])
    unit = places[:2].T * 2 / [max(width - 1, 1), max(height - 1, 1)] - 1
    grid = torch.from_numpy(unit.reshape(1, 112, 112, 2)).float()
    image = torch.from_numpy(part.transpose(2, 0, 1).copy())[None].float()
    return F.grid_sample(image, grid, padding_mode="zeros", align_corners=True).round()[0].numpy()


def _share_apart(photo: Photo, landmarks: np.ndarray) -> float:
    [crop] = align(photo, landmarks[None])
    return float((np.abs(crop - _warp_in_torch(photo, landmarks)) > 1).mean())


@pytest.mark.parametrize("scale", [0.2, 0.9, 1.3, 4.0])
@pytest.mark.parametrize("rotation", [0.0, 0.4, -2.0])
def test_crops_equal_those_of_pytorch(scale: float, rotation: float) -> None:
    placed = SimilarityTransform(rotation=rotation, scale=scale, translation=(200, 90))
    assert _share_apart(astronaut(), placed(ARCFACE_TEMPLATE)) < 0.001


def test_crops_of_real_photos_equal_those_of_pytorch(real_data: Path) -> None:
    # roughly where the landmarks of a deep-funneled image are
    landmarks = ARCFACE_TEMPLATE * 0.9 + 74
    files = sorted((real_data / "lfw_view1" / "images").glob("*/*.jpg"))[::250]
    assert max(_share_apart(read_photo(file), landmarks) for file in files) < 0.001


def test_landmarks_land_on_the_template() -> None:
    picture = np.zeros((300, 300, 3), np.uint8)
    points = SimilarityTransform(rotation=0.3, scale=1.2, translation=(90, 60))(ARCFACE_TEMPLATE).round()
    for x, y in points.astype(int).tolist():
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    crop = warp(picture, similarity_transform(points))[..., 0].astype(float)
    ys, xs = np.mgrid[:112, :112]
    for x, y in ARCFACE_TEMPLATE.tolist():
        weight = crop * (np.abs(xs - x) < 5) * (np.abs(ys - y) < 5)
        centre = np.array([(weight * xs).sum(), (weight * ys).sum()]) / weight.sum()
        np.testing.assert_allclose(centre, [x, y], atol=0.6)


def test_shrinking_is_antialiased() -> None:
    checkers = ((np.arange(900)[:, None] + np.arange(900)) % 2 * 255).astype(np.uint8)
    crop = warp(checkers[..., None].repeat(3, axis=2), np.array([[0.125, 0, 0], [0, 0.125, 0]]))
    assert crop[10:-10, 10:-10].std() < 3  # uniform grey, not a moiré


@pytest.mark.parametrize("scale", [0.001, 0.5, 40])
@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (37, 3)])
def test_warp_of_tiny_pictures(shape: tuple[int, int], scale: float) -> None:
    picture = np.full((*shape, 3), 200, np.uint8)
    assert warp(picture, np.array([[scale, 0, 0], [0, scale, 0]])).shape == (112, 112, 3)


def test_warp_of_a_photo_larger_than_opencv_takes() -> None:
    photo = np.full((2, 40_000, 3), 200, np.uint8)
    assert warp(photo, np.array([[1, 0, -39_950], [0, 1, 0]]))[:2, :50].min() == 200


def _placed(*places: tuple[float, float, float, float]) -> np.ndarray:
    """Landmarks of faces, each by rotation, scale and shift of the template."""
    transforms = [SimilarityTransform(rotation=r, scale=s, translation=(x, y)) for r, s, x, y in places]
    return np.stack([placed(ARCFACE_TEMPLATE) for placed in transforms]).astype(np.float32)


FACES = [(0.2, 0.4, 20, 10), (-0.3, 1.0, 60, 90), (1.6, 2.0, 260, 30), (0.0, 0.15, 290, 5), (0.1, 1.5, 250, -60)]


def test_all_faces_of_a_photo() -> None:
    photo, landmarks = _smooth_picture(260, 300), _placed(*FACES)
    crops = align(photo, landmarks)
    assert crops.shape == (5, 3, 112, 112)
    assert crops.dtype == np.uint8
    for crop, (rotation, scale, x, y) in zip(crops, FACES, strict=True):
        placed = SimilarityTransform(rotation=rotation, scale=scale, translation=(x, y))
        expected = skimage_warp(photo, placed, output_shape=(112, 112), order=1, preserve_range=True)
        inside = skimage_warp(np.ones((260, 300)), placed, output_shape=(112, 112), order=0) > 0.5
        assert np.abs(crop.transpose(1, 2, 0) - expected).mean(axis=2)[inside].mean() < 3
    assert align(photo, landmarks[:0]).shape == (0, 3, 112, 112)


def test_small_face_in_a_large_photo_equals_the_same_face_cut_out() -> None:
    small = _smooth_picture(400, 400)
    large = np.zeros((3000, 5000, 3), np.uint8)
    large[1500:1900, 4000:4400] = small
    landmarks = _placed((0.2, 2.0, 100, 80))
    crops = align(large, landmarks + np.array([4000, 1500], np.float32)), align(small, landmarks)
    assert np.abs(crops[0].astype(int) - crops[1]).mean() < 1.5  # another phase of the antialiased step


def test_face_outside_the_photo_is_black() -> None:
    photo = np.full((2000, 2000, 3), 200, np.uint8)
    assert align(photo, _placed((0, 0.5, -4000, 30), (0, 0.5, 9000, 9000))).max() == 0


@pytest.mark.parametrize("size", [(20, 15), (300, 300)])
def test_a_view_is_aligned_as_its_copy(size: tuple[int, int]) -> None:
    view = np.rot90(V.resize(torch.from_numpy(astronaut()).permute(2, 0, 1), list(size)).numpy().transpose(1, 2, 0))
    landmarks = _placed((0.1, 0.3, 3, 2), (0.1, 2, 3, 2))
    np.testing.assert_array_equal(align(view, landmarks), align(np.ascontiguousarray(view), landmarks))
