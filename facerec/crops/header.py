"""What a photo's file says beside its pixels: how it is turned, how large it is stored, and its XMP."""

import io
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from facerec.crops.photo import open_picture
from facerec.errors import DataError


class PhotoHeader(NamedTuple):
    """What is stored beside the pixels.

    Attributes:
        size: width and height as stored, before `orientation` is applied.
        orientation: the turn that `read_photo` applies, 1 to 8 as in EXIF; 1 is none.
        xmp: the XMP packet inside the file; empty where there is none.
    """

    size: tuple[int, int]
    orientation: int
    xmp: bytes


def read_header(path: Path) -> PhotoHeader:
    """Read what a photo's file says beside its pixels.

    Raises:
        DataError: the file can't be read, or is not a photo. The message is one line with the file's name.
    """
    try:
        with open_picture(io.BytesIO(path.read_bytes()), str(path)) as picture:
            if isinstance(picture, PngImageFile):
                picture.load()  # its XMP may come after the pixels
            orientation = _orientation(picture.getexif().get(ExifTags.Base.Orientation))
            width, height = picture.size
            if isinstance(picture, TiffImageFile) and orientation >= 5:  # Pillow tells the size after the turn
                width, height = height, width
            xmp = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
    except DataError:
        raise
    except Exception as error:  # as `read_photo`
        reason = str(error).strip().splitlines()
        raise DataError(f"{path}: {reason[0] if reason else type(error).__name__}") from error
    packet = xmp.encode() if isinstance(xmp, str) else xmp
    return PhotoHeader((width, height), orientation, packet.strip(b"\0"))  # some programs pad it


def _orientation(value: object) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
