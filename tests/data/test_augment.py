import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch import Tensor
from torch._dynamo.testing import CompileCounter

from facerec.data import Augment
from facerec.data.augment import resample
from facerec.errors import ConfigError
from facerec.job.keys import CONFIG_DIR


def _noise(count: int) -> Tensor:
    noise = torch.rand(count, 3, 14, 14, generator=torch.Generator().manual_seed(0)) * 255
    return torch.nn.functional.interpolate(noise, (112, 112), mode="bilinear").to(torch.uint8)


@pytest.fixture
def crops() -> Tensor:
    return _noise(16)


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_nothing_asked_for_changes_nothing(crops: Tensor) -> None:
    assert torch.equal(Augment()(crops, _seeded()), crops)


CORRUPTIONS = ["blur", "low_resolution", "jpeg", "grey"]


@pytest.mark.parametrize(
    "name", ["flip", "zoom", "shift", "brightness", "contrast", "erase", *CORRUPTIONS, "mixup"]
)
def test_each_change_keeps_shape_and_type_and_follows_its_generator(crops: Tensor, name: str) -> None:
    augment = Augment(**{name: 0.5})
    first, again, other = (augment(crops, _seeded(seed)) for seed in (1, 1, 4))
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


STRONG = instantiate(OmegaConf.load(CONFIG_DIR / "augment/strong.yaml"))


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.randoms())
@settings(deadline=None, max_examples=10)
def test_the_same_draws_give_the_same_bytes_in_any_batch(sizes: list[int], random) -> None:  # type: ignore[no-untyped-def]
    crops = _noise(sum(sizes))
    drawn = STRONG.draw(len(crops), _seeded(1))
    drawn[11:15] /= 3  # more corruptions than the recipe has
    kept = drawn.clone()
    whole = STRONG.apply(crops, drawn)
    assert not torch.equal(whole, crops)
    parts = zip(crops.split(sizes), drawn.split(sizes, dim=1), strict=True)
    assert torch.equal(torch.cat([STRONG.apply(*part) for part in parts]), whole)
    order = random.sample(range(len(crops)), len(crops))
    assert torch.equal(STRONG.apply(crops[order], drawn[:, order]), whole[order])
    assert torch.equal(drawn, kept)


def test_all_but_mixup_is_draw_then_apply(crops: Tensor) -> None:
    drawn = STRONG.draw(16, _seeded(5))
    assert drawn.shape == (Augment.DRAWS, 16)
    unmixed = instantiate(OmegaConf.load(CONFIG_DIR / "augment/strong.yaml"), mixup=0.0)
    assert torch.equal(unmixed(crops, _seeded(5)), STRONG.apply(crops, drawn))


def test_compiled_it_changes_a_batch_as_before(crops: Tensor) -> None:
    given = {"flip": 0.5, "zoom": 0.2, "shift": 0.1, "brightness": 0.2, "contrast": 0.3, "erase": 0.5}
    plain, compiled = Augment(**given), Augment(**given)
    compiled.compile(backend=(counter := CompileCounter()))
    for seed in range(3):
        assert torch.equal(compiled(crops, _seeded(seed)), plain(crops, _seeded(seed)))
    assert counter.frame_count == 1


def test_a_seed_draws_what_it_drew_before_there_were_corruptions() -> None:
    torch.testing.assert_close(Augment().draw(64, _seeded(7))[:11], torch.rand(11, 64, generator=_seeded(7)))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_befalls_its_share_of_crops(name: str) -> None:
    crops = _noise(200)
    changed = (Augment(**{name: 0.3})(crops, _seeded()) != crops).any(dim=(1, 2, 3))
    assert 40 <= int(changed.sum()) <= 80
    assert (Augment(**{name: 1.0})(crops, _seeded()) != crops).any(dim=(1, 2, 3)).all()


def test_erasing_comes_last(crops: Tensor) -> None:
    both = Augment(erase=1.0, blur=1.0, jpeg=1.0)
    drawn = both.draw(16, _seeded())
    corrupted, erased = Augment(blur=1.0, jpeg=1.0).apply(crops, drawn), both.apply(crops, drawn)
    inside = Augment(erase=1.0).apply(crops, drawn) != crops
    for crop in range(16):
        colours = erased[crop][:, inside[crop].all(dim=0)]
        assert (colours == colours[:, :1]).all()
    # nothing but the rectangle is painted
    outside = (corrupted == erased).float().mean(dim=(1, 2, 3))
    assert (outside >= 1 - 0.41**2).all()


def test_mixup_mixes_a_batch_with_itself_in_its_share_of_batches(crops: Tensor) -> None:
    generator, mixed = _seeded(), 0
    for _ in range(100):
        found = Augment(mixup=0.3)(crops, generator)
        if torch.equal(found, crops):
            continue
        mixed += 1
        pixels, columns = found.double().flatten(1), crops.double().flatten(1)
        # each crop is λ of itself and 1 - λ of one other, of the same λ: found by least squares
        weights = torch.linalg.lstsq(columns.T, pixels.T).solution.T
        own = weights.diagonal()
        partner = (weights - torch.diag(own)).max(dim=1)
        moved = partner.values > 0.01
        assert (own[moved] + partner.values[moved] - 1).abs().max() < 0.02
        assert own[moved].max() - own[moved].min() < 0.02
        assert partner.indices[moved].unique().numel() == int(moved.sum())
    assert 18 <= mixed <= 42


def test_mixup_keeps_to_the_share_of_a_process(crops: Tensor) -> None:
    augment = Augment(mixup=1.0)
    first, second = (augment(crops[place::2], _seeded(3), (place, 2)) for place in range(2))
    alone = crops.clone()
    alone[1::2] = 0
    assert torch.equal(augment(alone[::2], _seeded(3), (0, 2)), first)
    assert not torch.equal(first, crops[::2])
    assert not torch.equal(second, crops[1::2])


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_values_out_of_range_are_refused_by_name(value: float) -> None:
    for name in ("erase", *CORRUPTIONS, "mixup"):
        with pytest.raises(ConfigError, match=rf"augment\.{name}"):
            Augment(**{name: value})
