"""Read a picture as people have them, upright and in RGB, or refuse it in one line.

With Pillow alone: torchvision's decoders give the same bytes, but damaged PNG files end the process (0.29).
"""

import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from facerec.errors import DataError

HEIF_SUFFIXES = {".heic", ".heif"}
IMAGE_SUFFIXES = HEIF_SUFFIXES | {
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".avif")
}
MOST_PIXELS = 2**27  # 134 million, 400 MB decoded: few cameras take more

# Only these are opened: Pillow knows others that start programs (EPS) or that no camera writes.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM", "TIFF", "AVIF")


def read_photo(path: Path | bytes, most_pixels: int = MOST_PIXELS) -> Tensor:
    """Read a picture, upright (EXIF), as `uint8 [3, H, W]`, RGB, 0..255, on the CPU.

    The first frame of an animation; transparent parts become white; 16 bits become 8. The content decides what
    it is, not the name. HEIC needs the package `pillow-heif`.

    Args:
        path: a file, or the bytes of one.
        most_pixels: that it may have; the default is 134 million.

    Raises:
        DataError: one line with the file's name: missing, empty, truncated, no picture, too many pixels.
    """
    name = "photo" if isinstance(path, bytes) else str(path)
    try:
        data = path if isinstance(path, bytes) else path.read_bytes()
        if not data:
            raise DataError(f"{name}: the file is empty")
        return _decode(data, name, most_pixels)
    except DataError:
        raise
    except Exception as error:  # decoders that are given damaged files raise anything, down to IndexError
        reason = str(error).strip().splitlines()
        raise DataError(f"{name}: {reason[0] if reason else type(error).__name__}") from error


def _decode(data: bytes, name: str, most_pixels: int) -> Tensor:
    with _open(data, name) as picture:  # reads the header alone
        width, height = picture.size
        if width * height > most_pixels:
            raise DataError(
                f"{name}: {width}x{height} pixels are more than {most_pixels:,}; make the picture smaller"
            )
        return torch.from_numpy(_upright_rgb(picture)).permute(2, 0, 1)


def _open(data: bytes, name: str) -> Image.Image:
    formats = list(_FORMATS)
    if data[4:8] == b"ftyp" and data[8:12] != b"avif":
        try:
            import pillow_heif
        except ImportError as error:
            raise DataError(f"{name}: HEIC needs a decoder; pip install 'facerec[heic]'") from error
        pillow_heif.register_heif_opener()
        formats.append("HEIF")
    Image.init()  # or Pillow knows five formats alone
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        raise DataError(f"{name}: this is no picture that can be read") from None


def _upright_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I"):  # 16 bits; Pillow would clip them to 255
        grey = np.asarray(picture).astype(np.uint32).clip(0, 65535) >> 8
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))
