"""What goes into the index of photos and what comes out."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from facerec.gallery.records import Match, Sample


class FileState(NamedTuple):
    """By which a changed file is noticed: its size in bytes, and its time in nanoseconds."""

    size: int
    mtime: int

    @classmethod
    def of(cls, file: Path) -> "FileState":
        """Of a file as it is now.

        Raises:
            OSError: there is none, or it may not be looked at.
        """
        status = file.stat()
        return cls(status.st_size, status.st_mtime_ns)


class IndexedPhoto(NamedTuple):
    """A photo that was read.

    Attributes:
        path: of the file, absolute.
        state: of the file before it was read.
        width, height: of the photo, upright, in pixels; 0 where it can't be read.
        faces: in the photo; without a name for their source, which is the path.
        problem: why it can't be read, or "".
    """

    path: Path
    state: FileState
    width: int
    height: int
    faces: Sequence[Sample]
    problem: str = ""


class IndexedFace(NamedTuple):
    """Where an indexed face is.

    Attributes:
        photo: path of the photo.
        number: of the face in it, from 1.
        box: x0, y0, x1, y1 in pixels of the upright photo.
        score: the detector's, 0..1.
        crop: SHA-256 of the crop's bytes.
    """

    photo: Path
    number: int
    box: tuple[float, float, float, float]
    score: float
    crop: bytes


class FaceMatch(NamedTuple):
    """An indexed face and the enrolled person nearest to it."""

    face: IndexedFace
    match: Match


class FaceGroup(NamedTuple):
    """Faces that seem to be of one person whom nobody enrolled.

    Attributes:
        id: hexadecimal digits that any other set of faces would not have.
        faces: most typical first.
        vectors: `float32 [N, d]`, of the faces.
    """

    id: str
    faces: Sequence[IndexedFace]
    vectors: NDArray[np.float32]

    @property
    def photos(self) -> list[Path]:
        """Without repetition, that of the most typical face first."""
        return list(dict.fromkeys(face.photo for face in self.faces))

    def samples(self, kept: Mapping[bytes, bytes] | None = None) -> list[Sample]:
        """The faces, to enrol; with the crops to keep as PNG, by their SHA-256."""
        kept = kept or {}
        return [
            Sample(vector, face.photo.name, face.crop, face.box, face.score, kept.get(face.crop))
            for face, vector in zip(self.faces, self.vectors, strict=True)
        ]


class IndexSize(NamedTuple):
    """How many photos and faces are indexed."""

    photos: int
    faces: int


def photo_id(path: Path) -> UUID:
    """The same for the same path."""
    return UUID(bytes=hashlib.sha256(os.fsencode(path)).digest()[:16])


def group_id(crops: Sequence[bytes]) -> str:
    """The same for the same crops in any order."""
    return hashlib.sha256(b"".join(sorted(crops))).hexdigest()[:16]
