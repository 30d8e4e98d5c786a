import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform
from skimage.transform import warp as skimage_warp

from facerec.crops import ARCFACE_TEMPLATE, align, similarity_transform, warp


@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.1, 10),
    shift=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=100)
def test_transform_equals_scikit_image(angle: float, scale: float, shift: tuple[float, float], seed: int) -> None:
    placed = SimilarityTransform(rotation=angle, scale=scale, translation=shift)
    points = placed(ARCFACE_TEMPLATE.numpy()) + np.random.default_rng(seed).normal(0, scale, (5, 2))
    expected = SimilarityTransform.from_estimate(points, ARCFACE_TEMPLATE.numpy()).params[:2]
    found = similarity_transform(torch.from_numpy(points)[None])[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_transforms_of_a_batch_are_those_of_its_faces() -> None:
    points = ARCFACE_TEMPLATE + torch.randn(7, 5, 2, generator=torch.Generator().manual_seed(0)) * 4
    torch.testing.assert_close(
        similarity_transform(points), torch.cat([similarity_transform(face[None]) for face in points])
    )


def _smooth_picture(height: int, width: int) -> torch.Tensor:
    noise = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(1)) * 255
    picture = torch.nn.functional.interpolate(noise, (height, width), mode="bicubic", align_corners=False)
    return picture[0].clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize(("scale", "tolerance"), [(2.0, 1.0), (1.0, 1.0), (0.45, 3.0)])
def test_warp_equals_scikit_image(scale: float, tolerance: float) -> None:
    picture = _smooth_picture(260, 300)
    placed = SimilarityTransform(rotation=0.2, scale=1 / scale, translation=(20, 10))
    points = torch.from_numpy(placed(ARCFACE_TEMPLATE.numpy()))
    matrix = similarity_transform(points[None])[0]
    expected = skimage_warp(
        picture.permute(1, 2, 0).numpy(), placed, output_shape=(112, 112), order=1, preserve_range=True
    )
    found = warp(picture, matrix).permute(1, 2, 0).numpy().astype(float)
    assert np.abs(found - expected).mean() < tolerance


def test_landmarks_land_on_the_template() -> None:
    picture = torch.zeros(3, 300, 300, dtype=torch.uint8)
    placed = SimilarityTransform(rotation=0.3, scale=1.2, translation=(90, 60))
    points = torch.from_numpy(placed(ARCFACE_TEMPLATE.numpy())).round()
    for x, y in points.int().tolist():
        picture[:, y - 1 : y + 2, x - 1 : x + 2] = 255
    crop = warp(picture, similarity_transform(points[None])[0])[0].double()
    for x, y in ARCFACE_TEMPLATE.tolist():
        ys, xs = torch.meshgrid(torch.arange(112.0), torch.arange(112.0), indexing="ij")
        weight = crop * ((xs - x).abs() < 5) * ((ys - y).abs() < 5)
        centre = torch.stack([(weight * xs).sum(), (weight * ys).sum()]) / weight.sum()
        torch.testing.assert_close(centre, torch.tensor([x, y]).double(), atol=0.6, rtol=0)


def test_shrinking_is_antialiased() -> None:
    checkers = (torch.arange(900)[:, None] + torch.arange(900)[None]) % 2 * 255
    picture = checkers.to(torch.uint8).expand(3, -1, -1)
    crop = warp(picture, torch.tensor([[0.125, 0, 0], [0, 0.125, 0]]))
    assert crop[:, 10:-10, 10:-10].double().std() < 3  # uniform grey, not a moiré


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (37, 3)])
def test_warp_of_tiny_pictures(shape: tuple[int, int]) -> None:
    picture = torch.full((3, *shape), 200, dtype=torch.uint8)
    assert warp(picture, torch.tensor([[0.5, 0, 0], [0, 0.5, 0]])).shape == (3, 112, 112)


def _placed(*places: tuple[float, float, float, float]) -> torch.Tensor:
    """Landmarks of faces, each by rotation, scale and shift of the template."""
    transforms = [SimilarityTransform(rotation=r, scale=s, translation=(x, y)) for r, s, x, y in places]
    return torch.from_numpy(np.stack([placed(ARCFACE_TEMPLATE.numpy()) for placed in transforms])).float()


FACES = [(0.2, 0.4, 20, 10), (-0.3, 1.0, 60, 90), (1.6, 2.0, 260, 30), (0.0, 0.15, 290, 5), (0.1, 1.5, 250, -60)]


def test_all_faces_of_a_photo_at_once() -> None:
    photo, landmarks = _smooth_picture(260, 300), _placed(*FACES)
    crops = align(photo, landmarks)
    assert crops.shape == (5, 3, 112, 112)
    assert crops.dtype == torch.uint8
    for crop, points in zip(crops, landmarks, strict=True):
        alone = warp(photo, similarity_transform(points[None])[0])
        assert (crop.int() - alone.int()).abs().max() <= 1
    assert align(photo, landmarks[:0]).shape == (0, 3, 112, 112)


def test_batch_equals_scikit_image() -> None:
    photo = _smooth_picture(260, 300)
    for crop, (rotation, scale, x, y) in zip(align(photo, _placed(*FACES)), FACES, strict=True):
        placed = SimilarityTransform(rotation=rotation, scale=scale, translation=(x, y))
        expected = skimage_warp(
            photo.permute(1, 2, 0).numpy(), placed, output_shape=(112, 112), order=1, preserve_range=True
        )
        inside = skimage_warp(np.ones((260, 300)), placed, output_shape=(112, 112), order=0) > 0.5
        apart = np.abs(crop.permute(1, 2, 0).numpy() - expected).mean(axis=2)
        assert apart[inside].mean() < 3


def test_small_face_in_a_large_photo_equals_the_same_face_cut_out() -> None:
    small = _smooth_picture(400, 400)
    large = torch.zeros(3, 3000, 5000, dtype=torch.uint8)
    large[:, 1500:1900, 4000:4400] = small
    landmarks = _placed((0.2, 2.0, 100, 80))
    apart = (align(large, landmarks + torch.tensor([4000.0, 1500.0])).int() - align(small, landmarks).int()).abs()
    assert apart.float().mean() < 1.5  # another phase of the antialiased step


def test_face_outside_the_photo_is_black() -> None:
    photo = torch.full((3, 2000, 2000), 200, dtype=torch.uint8)
    crops = align(photo, _placed((0, 0.5, -4000, 30), (0, 0.5, 9000, 9000)))
    assert crops.max() == 0
