import pytest
import torch
from torch import Tensor

from facerec.data import Augment
from facerec.data.augment import resample
from facerec.errors import ConfigError


@pytest.fixture
def crops() -> Tensor:
    noise = torch.rand(16, 3, 14, 14, generator=torch.Generator().manual_seed(0)) * 255
    return torch.nn.functional.interpolate(noise, (112, 112), mode="bilinear").to(torch.uint8)


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_nothing_asked_for_changes_nothing(crops: Tensor) -> None:
    assert torch.equal(Augment()(crops, _seeded()), crops)


@pytest.mark.parametrize("name", ["flip", "zoom", "shift", "brightness", "contrast", "erase"])
def test_each_change_keeps_shape_and_type_and_follows_its_generator(crops: Tensor, name: str) -> None:
    augment = Augment(**{name: 0.5})
    first, again, other = (augment(crops, _seeded(seed)) for seed in (1, 1, 2))
    assert first.dtype == torch.uint8
    assert first.shape == crops.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, crops)


def test_flip_mirrors_whole_crops(crops: Tensor) -> None:
    assert torch.equal(Augment(flip=1.0)(crops), crops.flip(3))
    flipped = Augment(flip=0.5)(crops, _seeded())
    kept = (flipped == crops).all(dim=(1, 2, 3))
    mirrored = (flipped == crops.flip(3)).all(dim=(1, 2, 3))
    assert (kept ^ mirrored).all()
    assert kept.any()
    assert mirrored.any()


def test_resampling_by_nothing_is_exact_and_flips(crops: Tensor) -> None:
    nearly = Augment(flip=1.0, zoom=1e-7)(crops, _seeded())
    assert (nearly.int() - crops.flip(3).int()).abs().max() <= 1


def test_resampling_is_that_of_an_affine_grid(crops: Tensor) -> None:
    scale, x, y = torch.empty(3, 16).uniform_(-0.2, 0.2, generator=_seeded())
    scale, flipped, zero = 1 + scale, torch.arange(16) % 2 == 1, torch.zeros(16)
    side = torch.where(flipped, -scale, scale)
    # grid coordinates run over [-1, 1], so a share of the side counts double
    theta = torch.stack([side, zero, 2 * x, zero, scale, 2 * y], 1).view(16, 2, 3).double()
    grid = torch.nn.functional.affine_grid(theta, [16, 3, 112, 112], align_corners=False)
    wanted = torch.nn.functional.grid_sample(crops.double(), grid, padding_mode="border", align_corners=False)
    found = resample(crops.float(), flipped, scale, x, y)
    torch.testing.assert_close(found.double(), wanted, atol=5e-3, rtol=0)


def test_shift_stays_within_its_bound() -> None:
    dot = torch.zeros(64, 3, 112, 112, dtype=torch.uint8)
    dot[:, :, 55:57, 55:57] = 255
    moved = Augment(shift=0.1)(dot, _seeded()).double().sum(1)
    axis = torch.arange(112.0).double()
    for sums in (moved.sum(1), moved.sum(2)):
        centre = (sums * axis).sum(1) / sums.sum(1)
        assert (centre - 55.5).abs().max() <= 11.3
        assert (centre - 55.5).abs().max() >= 8


def test_brightness_and_contrast_stay_within_their_bounds(crops: Tensor) -> None:
    grey = torch.full_like(crops, 128)
    lit = Augment(brightness=0.1)(grey, _seeded())
    assert 128 - 26 <= int(lit.min()) < int(lit.max()) <= 128 + 26
    contrast = Augment(contrast=0.5)(crops, _seeded())
    torch.testing.assert_close(
        contrast.double().mean((1, 2, 3)), crops.double().mean((1, 2, 3)), atol=6, rtol=0
    )  # about the mean, up to clipping


def test_erased_rectangles_have_the_stated_size(crops: Tensor) -> None:
    changed = (Augment(erase=1.0)(crops, _seeded()) != crops).any(dim=1)
    for mask in changed:
        rows, columns = (mask.any(dim=axis).nonzero() for axis in (1, 0))
        for span in (rows, columns):
            assert 0.08 * 112 <= int(span.max() - span.min()) + 1 <= 0.4 * 112 + 1


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_values_out_of_range_are_refused_by_name(value: float) -> None:
    with pytest.raises(ConfigError, match=r"augment\.erase"):
        Augment(erase=value)
