import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from facerec.data import Augment, FixedViews, ViewedCrops
from facerec.errors import ConfigError

COUNT = 6
AUGMENT = Augment(flip=0.5, zoom=0.1, shift=0.05, brightness=0.2, contrast=0.3, erase=0.5)


@pytest.fixture(scope="module")
def crops() -> Tensor:
    noise = torch.rand(COUNT, 3, 14, 14, generator=torch.Generator().manual_seed(0)) * 255
    return torch.nn.functional.interpolate(noise, (112, 112), mode="bilinear").to(torch.uint8)


def _show(views: FixedViews, crops: Tensor, view: int) -> Tensor:
    return views(crops, torch.arange(COUNT), torch.full((COUNT,), view))


def test_the_first_two_views_are_the_crop_and_its_mirror_image(crops: Tensor) -> None:
    views = FixedViews(AUGMENT, 2, COUNT)
    assert torch.equal(_show(views, crops, 0), crops)
    assert torch.equal(_show(views, crops, 1), crops.flip(3))


def test_further_views_are_augmented_each_in_its_own_way(crops: Tensor) -> None:
    views = FixedViews(AUGMENT, 4, COUNT)
    shown = [_show(views, crops, view) for view in range(4)]
    for one in range(4):
        for other in range(one):
            assert not torch.equal(shown[one], shown[other])
    drawn = AUGMENT.draw(COUNT, torch.Generator().manual_seed(3))
    assert torch.equal(shown[3], AUGMENT.apply(crops, drawn))


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(st.integers(0, COUNT - 1), max_size=8), data=st.data())
def test_a_view_does_not_depend_on_what_else_is_shown(crops: Tensor, rows: list[int], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    views = FixedViews(AUGMENT, 4, COUNT)
    shown = views(crops[rows], torch.tensor(rows, dtype=torch.int64), torch.tensor(chosen, dtype=torch.int64))
    for crop, row, view in zip(shown, rows, chosen, strict=True):
        assert torch.equal(crop, _show(views, crops, view)[row])


def test_more_views_leave_the_first_ones_as_they_are(crops: Tensor) -> None:
    few, many = FixedViews(AUGMENT, 3, COUNT), FixedViews(AUGMENT, 6, COUNT)
    assert torch.equal(_show(few, crops, 2), _show(many, crops, 2))
    assert [few.key(view) for view in range(3)] == [many.key(view) for view in range(3)]


def test_a_key_tells_views_settings_and_tables_apart() -> None:
    keys = [FixedViews(AUGMENT, 4, COUNT).key(view) for view in range(4)]
    keys += [FixedViews(Augment(flip=0.5), 4, COUNT).key(2), FixedViews(AUGMENT, 4, COUNT + 1).key(2)]
    assert len(set(keys)) == len(keys)


def test_all_views_are_drawn_equally_often() -> None:
    drawn = FixedViews(AUGMENT, 4, COUNT).draw(4000, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(drawn.bincount(), 1000, rtol=0.1)


def test_viewed_crops_are_read_by_row(crops: Tensor) -> None:
    views, rows = FixedViews(AUGMENT, 3, COUNT), np.array([4, 0, 4])
    expected = _show(views, crops, 2)[torch.from_numpy(rows)].numpy()
    np.testing.assert_array_equal(ViewedCrops(crops.numpy(), views, 2)[rows], expected)


def test_no_view_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"teacher\.views must be 1 or more, auto or online, not 0"):
        FixedViews(AUGMENT, 0, COUNT)
