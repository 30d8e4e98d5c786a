import torch
from hypothesis import given
from hypothesis import strategies as st

from facerec.crops import encode_png, read_photo


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_a_png_holds_the_same_pixels(height: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)
    assert torch.equal(read_photo(encode_png(pixels)), pixels)
    assert torch.equal(read_photo(encode_png(pixels.flip(2))), pixels.flip(2))  # a view that is not contiguous
