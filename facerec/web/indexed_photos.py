"""Indexed photos, where they lie: the picture of a face, and the crop to keep of it."""

import io
from collections.abc import Sequence
from pathlib import Path

from fastapi import Request
from PIL import Image

from facerec.crops.contract import Photo
from facerec.gallery.index_records import IndexedFace
from facerec.recognition import pngs_of
from facerec.web.problems import Problem
from facerec.web.routes import pipeline_of

_MARGIN = 0.3  # of a face's box, around it
_SIDE = 240  # pixels of a face's picture


async def read(request: Request, photo: Path) -> bytes:
    """The file.

    Raises:
        Problem: 404, it is gone; 413, it is too large.
    """
    pipeline = pipeline_of(request)
    return await pipeline.run_in_thread(_read, photo, pipeline.limits.photo_bytes)


async def kept_crops(request: Request, faces: Sequence[IndexedFace]) -> dict[bytes, bytes]:
    """The crops of faces as PNG, by their SHA-256, if the service keeps crops.

    Those of photos that are gone or were changed are left out.

    Raises:
        Problem: 503, the queue is full.
    """
    pipeline = pipeline_of(request)
    pngs: dict[bytes, bytes] = {}
    for photo in dict.fromkeys(face.photo for face in faces) if pipeline.settings.keep_crops else ():
        try:
            detected = await pipeline.detect_faces(await read(request, photo))
        except Problem as problem:
            if problem.status == 503:
                raise
            continue
        pngs |= pngs_of(detected.crops, {face.crop for face in faces})
    return pngs


def cut_out(photo: Photo, face: IndexedFace) -> bytes:
    """A JPEG of a face, with a margin.

    Args:
        photo: `uint8 [H, W, 3]`.
        face: in the photo.
    """
    x0, y0, x1, y1 = face.box
    margin = _MARGIN * max(x1 - x0, y1 - y0)
    picture = Image.fromarray(photo).crop(
        (
            max(0, round(x0 - margin)),
            max(0, round(y0 - margin)),
            min(photo.shape[1], round(x1 + margin)),
            min(photo.shape[0], round(y1 + margin)),
        )
    )
    picture.thumbnail((_SIDE, _SIDE))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _read(photo: Path, most: int) -> bytes:
    try:
        if photo.stat().st_size > most:
            raise Problem(413, "the photo is larger than the service accepts")
        return photo.read_bytes()
    except OSError:
        raise Problem(404, "the photo is no longer where it was indexed; index the photos again") from None
