"""Write pixels as PNG."""

import io

from PIL import Image

from facerec.crops.contract import Photo


def encode_png(pixels: Photo) -> bytes:
    """Encode `uint8 [H, W, 3]`, RGB, as a PNG file; `read_photo` gives the same pixels back."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()
