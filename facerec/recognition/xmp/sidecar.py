"""The file with XMP beside a photo."""

import os
from pathlib import Path

from facerec.errors import DataError
from facerec.recognition.xmp.packet import MAX_BYTES
from facerec.runtime.files import replace_file


def sidecar_of(photo: Path) -> Path:
    """The XMP file beside a photo, whether it is there or not.

    It is `PHOTO.jpg.xmp`, as digiKam and darktable call it. Where there is none, but a `PHOTO.xmp`, as Adobe's
    programs call it, it is that, unless another photo (`PHOTO.cr2`) of that name could be meant.
    """
    own, short = photo.with_name(f"{photo.name}.xmp"), photo.with_suffix(".xmp")
    if own.exists() or not short.is_file():
        return own
    others = (file for file in photo.parent.iterdir() if file.stem == photo.stem and file.suffix.lower() != ".xmp")
    return own if any(file != photo for file in others) else short


def read_sidecar(path: Path) -> bytes:
    """The file's content; empty if there is none.

    Raises:
        DataError: the file is empty, too large or can't be read.
    """
    try:
        size = path.stat().st_size
        if not 0 < size <= MAX_BYTES:
            raise DataError(f"{path}: a file of {size:,} bytes is no XMP")
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def put(path: Path, content: bytes) -> None:
    """Write a file whole; where one was, the new one has its rights, and a link goes on leading there.

    Raises:
        OSError: the disk refuses; what was there is still there.
    """
    path = Path(os.path.realpath(path))
    mode = path.stat().st_mode if path.exists() else None
    replace_file(path, content)
    if mode is not None:
        path.chmod(mode)
