"""Write pixels as PNG."""

import io

from PIL import Image
from torch import Tensor


def encode_png(pixels: Tensor) -> bytes:
    """Encode `uint8 [3, H, W]`, RGB, as a PNG file; `read_photo` gives the same pixels back."""
    stream = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy()).save(stream, "PNG", compress_level=1)
    return stream.getvalue()
