import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facerec.crops import encode_png, read_photo


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_a_png_holds_the_same_pixels(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for view in (pixels, pixels[:, ::-1], pixels.transpose(1, 0, 2)):  # those that are not contiguous, too
        np.testing.assert_array_equal(read_photo(encode_png(view)), view)
