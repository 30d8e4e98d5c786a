"""Photos → faces and their embeddings: what enrolling, identifying and the service have in common."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import Crops, Photo
from facerec.errors import ConfigError
from facerec.faces import CroppedPhoto, Detector, Face, crop_faces, crop_files

log = logging.getLogger(__name__)

NO_VECTOR = "the model gives no usable vector"
EmbedCrops = Callable[[Crops], NDArray[np.float32]]
"""From crops `uint8 [N, 3, 112, 112]` to unit vectors `float32 [N, d]`."""


class PhotoFaces(NamedTuple):
    """A photo and its faces with their embeddings.

    Attributes:
        file: name of the photo.
        photo: `uint8 [H, W, 3]`; empty where it can't be read.
        faces: those of at least the size and score asked for, best score first.
        crops: `uint8 [N, 3, 112, 112]`, one for each face.
        vectors: `float32 [N, d]`.
        problem: why there are no faces: the photo can't be read, or the model has no vector for any of them; or "".
        without_vector: faces that the model has no vector for; they are not among `faces`.
    """

    file: Path
    photo: Photo
    faces: list[Face]
    crops: Crops
    vectors: NDArray[np.float32]
    problem: str = ""
    without_vector: Sequence[Face] = ()

    def only(self, row: int) -> "PhotoFaces":
        """The photo as if it had this one of `faces` alone."""
        rows = slice(row, row + 1)
        faces, crops, vectors = self.faces[rows], self.crops[rows], self.vectors[rows]
        return self._replace(faces=faces, crops=crops, vectors=vectors, without_vector=())


def embed_files(
    files: Sequence[Path],
    detector: Detector,
    embed: EmbedCrops,
    *,
    min_size: float,
    min_score: float,
    batch_size: int,
) -> Iterator[PhotoFaces]:
    """Read photos and embed their faces, in order, `batch_size` photos at a time.

    Args:
        files: photos.
        detector: finds the faces.
        embed: crops → vectors.
        min_size: faces whose box is smaller, in pixels, are left out.
        min_score: so are those whose score is lower, 0..1.
        batch_size: photos at a time.

    Raises:
        ConfigError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ConfigError(f"faces.batch_size must be at least 1, not {batch_size}")
    batches = crop_files(
        files, detector, which="all", min_size=min_size, min_score=min_score, batch_size=batch_size
    )
    for batch in batches:
        yield from _embed(batch, embed)


def embed_photos(
    files: Sequence[Path],
    photos: Sequence[Photo | str],
    detector: Detector,
    embed: EmbedCrops,
    *,
    min_size: float,
    min_score: float,
) -> list[PhotoFaces]:
    """Embed the faces of photos that were read already, in one batch.

    Args:
        files: names of the photos.
        photos: `uint8 [H, W, 3]`, or why it can't be read.
        detector: finds the faces.
        embed: crops → vectors.
        min_size: faces whose box is smaller, in pixels, are left out.
        min_score: so are those whose score is lower, 0..1.
    """
    cropped = crop_faces(files, photos, detector, which="all", min_size=min_size, min_score=min_score)
    return _embed(cropped, embed)


def detect_photos(
    files: Sequence[Path],
    photos: Sequence[Photo | str],
    detector: Detector,
    *,
    min_size: float,
    min_score: float,
) -> list[PhotoFaces]:
    """Find the faces that `embed_photos` would embed; their vectors are `float32 [N, 0]`."""
    cropped = crop_faces(files, photos, detector, which="all", min_size=min_size, min_score=min_score)
    return [
        PhotoFaces(
            photo.file,
            photo.photo,
            photo.accepted,
            photo.crops,
            np.empty((len(photo.crops), 0), np.float32),
            photo.problem,
        )
        for photo in cropped
    ]


def _embed(photos: Sequence[CroppedPhoto], embed: EmbedCrops) -> list[PhotoFaces]:
    vectors = embed(np.concatenate([photo.crops for photo in photos]))
    ends = np.cumsum([len(photo.crops) for photo in photos])
    return [
        _with_vectors(photo, own_vectors)
        for photo, own_vectors in zip(photos, np.split(vectors, ends[:-1]), strict=True)
    ]


def _with_vectors(photo: CroppedPhoto, vectors: NDArray[np.float32]) -> PhotoFaces:
    # an external network may give NaN, or zero
    usable = np.array([np.isfinite(vector).all() and vector.any() for vector in vectors], np.bool_)
    with_vector = [face for face, good in zip(photo.accepted, usable, strict=True) if good]
    without_vector = [face for face, good in zip(photo.accepted, usable, strict=True) if not good]
    for face in without_vector:
        log.warning("%s: %s for the face at %s", photo.file, NO_VECTOR, face.box.round().astype(int).tolist())
    return PhotoFaces(
        file=photo.file,
        photo=photo.photo,
        faces=with_vector,
        crops=photo.crops[usable],
        vectors=vectors[usable],
        problem=NO_VECTOR if without_vector and not with_vector else photo.problem,
        without_vector=without_vector,
    )
