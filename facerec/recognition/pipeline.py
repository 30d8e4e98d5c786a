"""Photos → faces, crops and vectors: what enrolling and identifying have in common."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facerec.crops import FORMATS, align, pick_photos, read_photo
from facerec.crops.contract import CROP_SIZE
from facerec.errors import ConfigError, DataError
from facerec.faces import Detector, Face, choose

log = logging.getLogger(__name__)

NO_VECTOR = "the model gives no usable vector"
Embed = Callable[[Tensor], Tensor]


class Seen(NamedTuple):
    """A photo and who is in it.

    Attributes:
        file: of the photo.
        photo: `uint8 [3, H, W]`; empty where it can't be read.
        faces: those of at least the size and score asked for, best score first.
        crops: `uint8 [N, 3, 112, 112]`, one a face.
        vectors: `float32 [N, d]`.
        problem: why there is nobody: the photo can't be read, or the model has no vector for any face; or "".
        without_vector: faces that the model has no vector for; not among the others.
    """

    file: Path
    photo: Tensor
    faces: list[Face]
    crops: Tensor
    vectors: NDArray[np.float32]
    problem: str = ""
    without_vector: Sequence[Face] = ()


def look(
    files: Sequence[Path], detector: Detector, embed: Embed, *, min_size: float, min_score: float, batch_size: int
) -> Iterator[Seen]:
    """Find, cut and embed the faces of each photo, in order, `batch_size` photos at a time.

    Args:
        files: photos.
        detector: finds the faces.
        embed: crops `uint8 [N, 3, 112, 112]` to unit vectors `float32 [N, d]`.
        min_size: faces whose box is smaller, in pixels, are passed over.
        min_score: so are those the detector is less sure of, 0..1.
        batch_size: photos in the detector at once.
    """
    for start in range(0, len(files), batch_size):
        part = files[start : start + batch_size]
        yield from see(
            part, [_read(file) for file in part], detector, embed, min_size=min_size, min_score=min_score
        )


def see(
    files: Sequence[Path],
    photos: Sequence[Tensor | str],
    detector: Detector,
    embed: Embed,
    *,
    min_size: float,
    min_score: float,
) -> list[Seen]:
    """Find, cut and embed the faces of photos, all at once.

    Args:
        files: what the photos are called.
        photos: `uint8 [3, H, W]`, or why there is none.
        detector: finds the faces.
        embed: crops `uint8 [N, 3, 112, 112]` to unit vectors `float32 [N, d]`.
        min_size: faces whose box is smaller, in pixels, are passed over.
        min_score: so are those the detector is less sure of, 0..1.
    """
    found = iter(detector.find([photo for photo in photos if isinstance(photo, Tensor)]))
    seen = [_see(file, photo, found, min_size, min_score) for file, photo in zip(files, photos, strict=True)]
    vectors = embed(torch.cat([one.crops for one in seen]))
    parts = vectors.split([len(one.crops) for one in seen])
    return [_with_vectors(one, its) for one, its in zip(seen, parts, strict=True)]


def list_files(photos: Path) -> list[Path]:
    """The photo itself, or all photos in a folder and the folders below, sorted (see `pick_photos`).

    Raises:
        ConfigError: there is no such file or folder, or no picture in it.
    """
    if photos.is_file():
        return [photos]
    files = pick_photos(photos.rglob("*"), photos)
    if not files:
        raise ConfigError(f"photos: there are no pictures at {photos} ({FORMATS})")
    return files


def _read(file: Path) -> Tensor | str:
    try:
        return read_photo(file)
    except DataError as error:
        return str(error).removeprefix(f"{file}: ")


def _with_vectors(seen: Seen, vectors: Tensor) -> Seen:
    good = vectors.isfinite().all(dim=1) & vectors.any(dim=1)  # a foreign network may give NaN, or zero
    if good.all():
        return seen._replace(vectors=vectors.numpy())
    lost = [face for face, its in zip(seen.faces, good, strict=True) if not its]
    for face in lost:
        log.warning("%s: %s for the face at %s", seen.file, NO_VECTOR, face.box.round().astype(int).tolist())
    return seen._replace(
        faces=[face for face, its in zip(seen.faces, good, strict=True) if its],
        crops=seen.crops[good],
        vectors=vectors[good].numpy(),
        problem="" if good.any() else NO_VECTOR,
        without_vector=lost,
    )


def _see(file: Path, photo: Tensor | str, found: Iterable[list[Face]], min_size: float, min_score: float) -> Seen:
    none, nothing = np.empty((0, 0), np.float32), torch.empty(0, 3, CROP_SIZE, CROP_SIZE, dtype=torch.uint8)
    if isinstance(photo, str):
        return Seen(file, torch.empty(3, 0, 0, dtype=torch.uint8), [], nothing, none, photo)
    height, width = photo.shape[1:]
    faces = choose(next(iter(found)), "all", min_size, min_score, (height, width))
    points = torch.from_numpy(np.array([face.landmarks for face in faces], np.float32).reshape(-1, 5, 2))
    return Seen(file, photo, faces, align(photo, points).cpu(), none)
