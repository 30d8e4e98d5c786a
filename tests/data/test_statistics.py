from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from facerec.data import ChannelStatistics, channel_statistics
from facerec.data.statistics import cached_channel_statistics


@given(st.integers(1, 1100), st.integers(0, 2**31))
@settings(deadline=None, max_examples=15)
def test_equals_float64_over_all_pixels(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    crops = random.integers(0, 256, (1200, 3, 4, 4), dtype=np.uint8)
    rows = np.sort(random.choice(1200, count, replace=False))
    found = channel_statistics(crops, rows)
    pixels = crops[rows].astype(np.float64)
    np.testing.assert_allclose(found.mean, pixels.mean((0, 2, 3)), rtol=1e-14)
    np.testing.assert_allclose(found.std, pixels.std((0, 2, 3)), rtol=1e-12)
    assert found.images == count


def test_is_remembered_for_the_same_rows(tmp_path: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (9, 3, 4, 4), dtype=np.uint8)
    cache = tmp_path / "crops-0123.npy"
    first = cached_channel_statistics(crops, np.arange(5), cache)
    assert cached_channel_statistics(np.zeros_like(crops), np.arange(5), cache) == first
    [file] = tmp_path.iterdir()
    file.write_text(file.read_text()[:20])  # half of it, as a kill may leave it
    assert cached_channel_statistics(crops, np.arange(5), cache) == first
    assert cached_channel_statistics(crops, np.arange(6), cache) != first
    assert isinstance(first, ChannelStatistics)
    assert [file.suffix for file in tmp_path.iterdir()] == [".json", ".json"]
