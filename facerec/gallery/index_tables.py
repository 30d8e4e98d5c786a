"""The tables of the index: photos that were read, and the faces in them."""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.gallery.index_records import FileState, IndexedFace, IndexedPhoto, IndexSize, photo_id
from facerec.gallery.names import printable
from facerec.gallery.nearest import nearest_samples

_PHOTO = """
    INSERT INTO indexed_photo (id, path, size, mtime, width, height, problem, expires)
    VALUES (%s, %s, %s, %s, %s, %s, %s, now() + %s::interval)
    ON CONFLICT (id) DO UPDATE SET path = excluded.path, size = excluded.size, mtime = excluded.mtime,
        width = excluded.width, height = excluded.height, problem = excluded.problem, indexed = now(),
        expires = excluded.expires
"""
_FACE = """
    INSERT INTO indexed_face (photo_id, number, box, score, vector, crop) VALUES (%s, %s, %s, %s, %s, %s)
"""
# a folder's own path, or one below it
_BELOW = "(path = %(path)s OR substring(path FROM 1 FOR length(%(start)s)) = %(start)s)"
_FACES = """
    SELECT photo_id, number, path, box, score, crop, vector
    FROM indexed_face JOIN indexed_photo ON id = photo_id {where}
"""
_DUE = "WHERE expires <= now()"
_LISTED = "JOIN unnest(%s::uuid[], %s::smallint[]) AS listed (photo_id, number) USING (photo_id, number)"
_ALIKE = """
    SELECT photo_id, number FROM indexed_face, unnest(%s::vector[]) AS probe
    GROUP BY photo_id, number HAVING max(-(vector <#> probe)) >= %s
"""
_DELETE = """
    DELETE FROM indexed_face USING unnest(%s::uuid[], %s::smallint[]) AS listed (photo_id, number)
    WHERE indexed_face.photo_id = listed.photo_id AND indexed_face.number = listed.number
"""
_CLEAR_PATHS = """
    UPDATE indexed_photo SET path = ''
    WHERE id = ANY(%s) AND NOT EXISTS (SELECT FROM indexed_face WHERE photo_id = id)
"""
Key = tuple[UUID, int]
"""Photo and number of a face."""


class StoredFaces(NamedTuple):
    """Faces in the order of the rows of their vectors, `float32 [N, d]`."""

    keys: list[Key]
    faces: list[IndexedFace]
    vectors: NDArray[np.float32]

    def rows(self, rows: NDArray[np.integer]) -> "StoredFaces":
        """Those of some rows."""
        return StoredFaces([self.keys[row] for row in rows], [self.faces[row] for row in rows], self.vectors[rows])


def store_photos(connection: Connection[Any], photos: Sequence[IndexedPhoto], retention: timedelta | None) -> None:
    """Add photos and their faces, in place of what was known of them."""
    ids = [photo_id(photo.path) for photo in photos]
    _deleted(connection, "DELETE FROM indexed_face WHERE photo_id = ANY(%s)", [ids])
    with connection.cursor() as cursor:
        cursor.executemany(_PHOTO, [_photo_row(photo, retention) for photo in photos])
        cursor.executemany(
            _FACE,
            [
                [photo_id(photo.path), number, list(face.box or ()), face.score, face.vector, face.crop]
                for photo in photos
                for number, face in enumerate(photo.faces, 1)
            ],
        )


def read_states(connection: Connection[Any], root: Path) -> dict[UUID, tuple[FileState, bool]]:
    """The state of every photo's file when it was read, and whether it lies at or below `root`."""
    rows = connection.execute(f"SELECT id, size, mtime, {_BELOW} FROM indexed_photo".encode(), _below(root))
    return {photo: (FileState(size, mtime), below) for photo, size, mtime, below in rows}


def read_problems(connection: Connection[Any], root: Path) -> list[tuple[Path, str]]:
    """The photos at or below `root` that can't be read, and why."""
    statement = f"SELECT path, problem FROM indexed_photo WHERE problem <> '' AND {_BELOW} ORDER BY path"
    return [(_path(path), problem) for path, problem in connection.execute(statement.encode(), _below(root))]


def keep_for(connection: Connection[Any], root: Path, retention: timedelta | None) -> None:
    """Let the unnamed faces of the photos at or below `root` expire so long after they were read; None: never."""
    connection.execute(
        f"""UPDATE indexed_photo SET expires = indexed + %(retention)s::interval
            WHERE {_BELOW} AND expires IS DISTINCT FROM indexed + %(retention)s::interval""".encode(),
        {**_below(root), "retention": retention},
    )


def set_threshold(connection: Connection[Any], threshold: float) -> None:
    """Remember how similar to somebody erased a face must be to be erased with them."""
    connection.execute(
        "INSERT INTO index_rule (threshold) VALUES (%s) ON CONFLICT (id) DO UPDATE SET threshold = %s",
        [threshold, threshold],
    )


def delete_photos(connection: Connection[Any], photos: Sequence[UUID]) -> int:
    """Forget photos and their faces; returns how many photos."""
    return _deleted(connection, "DELETE FROM indexed_photo WHERE id = ANY(%s)", [list(photos)])


def delete_below(connection: Connection[Any], root: Path) -> int:
    """Forget the photos at or below `root`; returns how many."""
    return _deleted(connection, f"DELETE FROM indexed_photo WHERE {_BELOW}", _below(root))


def delete_all(connection: Connection[Any]) -> int:
    """Forget every photo; returns how many."""
    connection.execute("DELETE FROM index_rule")
    return _deleted(connection, "DELETE FROM indexed_photo", [])


def delete_faces(connection: Connection[Any], keys: Sequence[Key]) -> None:
    """Forget faces, and the paths of photos in which none is left.

    What stays of such a photo is a hash of its path, so that it is not read again.
    """
    if keys:
        photos = [photo for photo, _ in keys]
        connection.execute(_DELETE, [photos, [number for _, number in keys]])
        connection.execute(_CLEAR_PATHS, [photos])
        mark_unwiped(connection)


def delete_faces_of(connection: Connection[Any], person: UUID) -> None:
    """Forget the faces that may be a person's, who is about to be erased.

    They are those nearer to them than to anybody else, if as similar as `set_threshold` says, and those from
    which they were enrolled.
    """
    row = connection.execute("SELECT threshold FROM index_rule").fetchone()
    if row is None:
        return
    faces = read_faces_like(connection, person, row[0])
    persons, _ = nearest_samples(connection, faces.vectors)
    keys = [key for key, nearest in zip(faces.keys, persons, strict=True) if nearest == person]
    crops = connection.execute("SELECT crop FROM sample WHERE person_id = %s", [person]).fetchall()
    enrolled = connection.execute(
        "SELECT photo_id, number FROM indexed_face WHERE crop = ANY(%s)", [[crop for (crop,) in crops]]
    ).fetchall()
    delete_faces(connection, [*keys, *enrolled])


def read_faces(connection: Connection[Any], *, due: bool = False) -> StoredFaces:
    """All faces, or those whose time is up."""
    return _faces(connection, _DUE if due else "")


def read_faces_of(connection: Connection[Any], crop: bytes) -> StoredFaces:
    """The faces with this crop: copies of a photo have the same."""
    return _faces(connection, "WHERE crop = %s", [crop])


def read_faces_like(connection: Connection[Any], person: UUID, threshold: float) -> StoredFaces:
    """The faces at least so similar to a person's nearest sample."""
    samples = connection.execute("SELECT vector FROM sample WHERE person_id = %s", [person]).fetchall()
    keys = connection.execute(_ALIKE, [[vector for (vector,) in samples], threshold]).fetchall()
    return _faces(connection, _LISTED, [[photo for photo, _ in keys], [number for _, number in keys]])


def index_size(connection: Connection[Any]) -> IndexSize:
    """How many photos and faces there are."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM indexed_photo), (SELECT count(*) FROM indexed_face)"
    ).fetchone()
    assert row is not None
    return IndexSize(*row)


def mark_unwiped(connection: Connection[Any]) -> None:
    """Remember that the server's files may hold deleted rows, in case this process dies before it cleans them."""
    connection.execute("INSERT INTO unwiped VALUES (%s)", [uuid4()])


def _faces(connection: Connection[Any], where: str, parameters: Sequence[Any] = ()) -> StoredFaces:
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_FACES.format(where=where).encode(), parameters).fetchall()
    faces = [
        IndexedFace(_path(path), number, tuple(box), score, crop) for _, number, path, box, score, crop, _ in rows
    ]
    vectors = np.array([vector.to_numpy() for *_, vector in rows], np.float32)
    return StoredFaces([row[:2] for row in rows], faces, vectors if rows else vectors[:, None])


def _photo_row(photo: IndexedPhoto, retention: timedelta | None) -> list[Any]:
    path, problem = os.fsencode(photo.path), printable(photo.problem)
    return [photo_id(photo.path), path, *photo.state, photo.width, photo.height, problem, retention]


def _deleted(connection: Connection[Any], statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> int:
    count: int = connection.execute(statement.encode(), parameters).rowcount
    if count:
        mark_unwiped(connection)
    return count


def _below(root: Path) -> dict[str, bytes]:
    path = os.fsencode(root)
    return {"path": path, "start": path.rstrip(os.sep.encode()) + os.sep.encode()}


def _path(path: bytes) -> Path:
    return Path(os.fsdecode(path))
