"""Photos → faces → aligned crops: every job crops faces here."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facerec.crops import Crops, Photo, align, read_photo
from facerec.errors import DataError
from facerec.faces.face import Detector, Face
from facerec.faces.refusal import Which, refusal_reasons

_MAX_PIXELS = 64_000_000  # in one batch, so that large photos do not fill the memory


class CroppedPhoto(NamedTuple):
    """A photo, the faces in it, and the crops of those that were accepted.

    Attributes:
        file: name of the photo.
        photo: `uint8 [H, W, 3]`; empty where it can't be read.
        faces: all that the detector found, best score first.
        reasons: for each face, why it was refused; "" if it was accepted.
        crops: `uint8 [N, 3, 112, 112]` of the accepted faces, in their order.
        problem: why the photo can't be read, or "".
    """

    file: Path
    photo: Photo
    faces: list[Face]
    reasons: list[str]
    crops: Crops
    problem: str

    @property
    def accepted(self) -> list[Face]:
        """The faces that have a crop."""
        return [face for face, reason in zip(self.faces, self.reasons, strict=True) if not reason]


def crop_faces(
    files: Sequence[Path],
    photos: Sequence[Photo | str],
    detector: Detector,
    *,
    which: Which,
    min_size: float,
    min_score: float,
) -> list[CroppedPhoto]:
    """Detect, choose and align the faces of one batch of photos.

    Args:
        files: names of the photos.
        photos: `uint8 [H, W, 3]`, or why it can't be read.
        detector: finds the faces.
        which: which faces are accepted, with `min_size` and `min_score` as for `refusal_reasons`.
        min_size: smallest shorter side of a box, in pixels.
        min_score: smallest detector score, 0..1.
    """
    detections = iter(detector.find([photo for photo in photos if not isinstance(photo, str)]))
    cropped = []
    for file, photo in zip(files, photos, strict=True):
        if isinstance(photo, str):
            pixels, faces, problem = np.empty((0, 0, 3), np.uint8), [], photo
        else:
            pixels, faces, problem = photo, next(detections), ""
        reasons = refusal_reasons(faces, which, min_size, min_score, pixels.shape[:2])
        landmarks = [face.landmarks for face, reason in zip(faces, reasons, strict=True) if not reason]
        crops = align(pixels, np.array(landmarks, np.float32).reshape(-1, 5, 2))
        cropped.append(CroppedPhoto(file, pixels, faces, reasons, crops, problem))
    return cropped


def crop_files(
    files: Sequence[Path],
    detector: Detector,
    *,
    which: Which,
    min_size: float,
    min_score: float,
    batch_size: int,
    num_workers: int = 2,
) -> Iterator[list[CroppedPhoto]]:
    """Read photos and crop their faces as `crop_faces` does; yields batches, in the order of `files`.

    Args:
        files: photos.
        detector: finds the faces.
        which: see `crop_faces`, as for `min_size` and `min_score`.
        min_size: smallest shorter side of a box, in pixels.
        min_score: smallest detector score, 0..1.
        batch_size: photos in a batch at most; large photos make it smaller.
        num_workers: threads that read ahead (decoders release Python's lock).
    """
    for batch in _batches(_read_ahead(files, num_workers), batch_size):
        names, photos = zip(*batch, strict=True)
        yield crop_faces(names, photos, detector, which=which, min_size=min_size, min_score=min_score)


def _read_ahead(files: Sequence[Path], num_workers: int) -> Iterator[tuple[Path, Photo | str]]:
    """Each photo, or why it can't be read, in order; twice as many as there are workers are read ahead."""
    running: deque[tuple[Path, Future[Photo | str]]] = deque()
    with ThreadPoolExecutor(num_workers) as pool:
        try:
            for file in files:
                running.append((file, pool.submit(_read, file)))
                if len(running) > 2 * num_workers:
                    first, photo = running.popleft()
                    yield first, photo.result()
            while running:
                first, photo = running.popleft()
                yield first, photo.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read(file: Path) -> Photo | str:
    try:
        return read_photo(file)
    except DataError as error:
        return str(error).removeprefix(f"{file}: ")


def _batches(
    photos: Iterable[tuple[Path, Photo | str]], batch_size: int
) -> Iterator[list[tuple[Path, Photo | str]]]:
    """Photos in batches of `batch_size`, or fewer when they hold more than `_MAX_PIXELS` together."""
    batch: list[tuple[Path, Photo | str]] = []
    pixels = 0
    for file, photo in photos:
        batch.append((file, photo))
        pixels += 0 if isinstance(photo, str) else photo.shape[0] * photo.shape[1]
        if len(batch) == batch_size or pixels > _MAX_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch
