"""Read a photo, upright and in RGB, or refuse it with a message of one line.

Pillow only: torchvision's decoders give the same pixels, but damaged PNG files end the process (0.29).
"""

import io
import logging
import struct
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from facerec.crops.contract import Photo
from facerec.errors import DataError, PhotoSizeError

log = logging.getLogger(__name__)

FORMATS = "JPEG, PNG, WebP, GIF, BMP, PPM, TIFF, AVIF, HEIC"
MAX_PIXELS = 2**27  # 134 million, 400 MB decoded: few cameras take more

# Only these are opened: Pillow knows others that start programs (EPS) or that no camera writes.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM", "TIFF", "AVIF")
_HEIF_SUFFIXES = {".heic", ".heif", ".hif"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_METADATA = {b"tEXt", b"zTXt", b"iTXt", b"iCCP"}
_NEW_SUBFILE_TYPE = 254  # a TIFF tag; bit 0: this is the small version of another image


def read_photo(path: Path | bytes, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a photo, upright (EXIF), as `uint8 [H, W, 3]`, RGB, 0..255.

    Of an animation, the first frame. Transparency becomes white, 16 bits become 8; floats may be 0..1, and floats
    and 32-bit integers 0..255 or 0..65535 where they fill an eighth of the range. The format follows from the
    content, not the name. Metadata that can't be read is ignored. HEIC needs the package `pillow-heif`.

    Args:
        path: a file, or its content.
        max_pixels: limit of its pixels; the default is 134 million.

    Raises:
        DataError: the file is missing, empty, truncated or not a photo, or has too many pixels or values of an
            unknown range. The message is one line with the file's name.
    """
    name = "photo" if isinstance(path, bytes) else str(path)
    try:
        data = path if isinstance(path, bytes) else path.read_bytes()
        if not data:
            raise DataError(f"{name}: the file is empty")
        try:
            return _decode(data, name, max_pixels)
        except ValueError:  # such as Pillow's, of more text or a larger colour profile than it cares to unpack
            if not data.startswith(_PNG):
                raise
            return _decode(_without_metadata(data), name, max_pixels)
    except DataError:
        raise
    except Exception as error:  # decoders that are given damaged files raise anything, down to IndexError
        reason = str(error).strip().splitlines()
        raise DataError(f"{name}: {reason[0] if reason else type(error).__name__}") from error


def is_photo(file: Path) -> bool:
    """Whether a file is a photo by its name or by its content, of a format that `read_photo` reads."""
    if file.suffix.lower() in _suffixes():
        return True
    try:
        with file.open("rb") as stream:
            if _is_heif(stream.read(12)):
                return True
            open_picture(stream, str(file)).close()
    except Exception:  # as `read_photo`
        return False
    return True


@cache
def _suffixes() -> set[str]:
    known = Image.registered_extensions().items()
    return _HEIF_SUFFIXES | {suffix for suffix, kind in known if kind in _FORMATS}


def _decode(data: bytes, name: str, max_pixels: int) -> Photo:
    with open_picture(io.BytesIO(data), name) as picture:  # reads the header alone
        width, height = picture.size
        if width * height > max_pixels:
            raise PhotoSizeError(
                f"{name}: {width}x{height} pixels are more than {max_pixels:,}; make the photo smaller"
            )
        return _upright_rgb(picture, name)


def open_picture(stream: IO[bytes], name: str) -> Image.Image:
    """As `Image.open`, without its own limit of pixels, which would warn below ours."""
    stream.seek(0)
    start = stream.read(16)
    formats = list(_FORMATS)
    if _is_heif(start):
        try:
            import pillow_heif
        except ImportError as error:
            raise DataError(f"{name}: HEIC needs a decoder; pip install 'facerec[heic]'") from error
        pillow_heif.register_heif_opener()
        formats.append("HEIF")
    Image.init()  # or Pillow knows five formats alone
    for kind in formats:
        factory, accept = Image.OPEN[kind]
        if accept is None or accept(start) is not True:
            continue
        stream.seek(0)
        try:
            picture = factory(stream, "")
        except (SyntaxError, IndexError, TypeError, struct.error):  # Pillow's ways to say: not of this format
            continue
        if isinstance(picture, TiffImageFile) and (
            start[8:10] == b"CR" or picture.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & 1
        ):
            raise DataError(f"{name}: only the preview of a camera's raw file could be read; export it as JPEG")
        return picture
    raise DataError(f"{name}: this is not a photo that can be read ({FORMATS})")


def _is_heif(start: bytes) -> bool:
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def _without_metadata(data: bytes) -> bytes:
    """A PNG file without its texts and colour profile."""
    kept, place = [_PNG], len(_PNG)
    while place < len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4])  # length, type, content, checksum
        if data[place + 4 : place + 8] not in _PNG_METADATA:
            kept.append(data[place:end])
        place = end
    return b"".join(kept)


def _upright_rgb(picture: Image.Image, name: str) -> Photo:
    picture.load()
    try:
        ImageOps.exif_transpose(picture, in_place=True)
    except MemoryError:
        raise
    except Exception as error:  # the EXIF is damaged, or can't be written again, after the pixels are turned
        log.debug("%s: EXIF: %s", name, error)
    if picture.mode.startswith("I") or picture.mode == "F":  # Pillow would clip them to 255
        sixteen_bits = picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PPM")
        grey = _as_bytes(np.asarray(picture), sixteen_bits, name)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _as_bytes(values: NDArray[np.integer | np.floating], sixteen_bits: bool, name: str) -> NDArray[np.uint8]:
    """Grey values `[H, W]` of another type as bytes.

    Raises:
        DataError: the range of the values does not tell which of them is white.
    """
    if sixteen_bits:
        return (values.astype(np.uint32) >> 8).astype(np.uint8)
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return (values * 255 + 0.5).astype(np.uint8)
    for white in (255, 65535):
        if low >= 0 and white / 8 <= high <= white:  # or nearly black: of another range
            return (values * (256 / (white + 1))).astype(np.uint8)
    raise DataError(
        f"{name}: the range of its values, {low:g} to {high:g}, does not tell which of them is white; save it with "
        "floats from 0 to 1, or with 8 bits"
    )
