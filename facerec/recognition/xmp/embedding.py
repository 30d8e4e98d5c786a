"""XMP inside a photo's file, written by Exiv2 (GPL, so it is installed only when asked for)."""

from pathlib import Path

import numpy as np

from facerec.crops import read_photo
from facerec.errors import DataError
from facerec.recognition.xmp.sidecar import put


def embed(photo: Path, packet: bytes) -> None:
    """Replace the XMP in a photo's file; the pixels are compared before the file is replaced, whole.

    Raises:
        DataError: the format can't hold it (HEIC, GIF), or the photo is damaged; the file is left as it is.
        ModuleNotFoundError: pyexiv2 is not installed.
        OSError: the disk refuses.
    """
    import pyexiv2

    before = photo.read_bytes()
    try:
        image = pyexiv2.ImageData(before)
        try:
            image.modify_raw_xmp(packet.decode())
            after = image.get_bytes()
        finally:
            image.close()
    except RuntimeError as error:
        raise DataError(f"{photo}: XMP can't be written into it: {error}") from error
    if not np.array_equal(read_photo(before), read_photo(after)):
        raise DataError(f"{photo}: with XMP in it, it would show something else")
    put(photo, after)
