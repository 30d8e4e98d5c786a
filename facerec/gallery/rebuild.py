"""Another model for an old gallery: embed the kept crops anew."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql

from facerec.errors import GalleryError
from facerec.gallery.enrolment import record, set_centroid
from facerec.models.record import ModelRecord

_BATCH = 256
_BEFORE = "ALTER TABLE sample ADD COLUMN anew vector({dim})"
_AFTER = """
    ALTER TABLE sample DROP COLUMN vector;
    ALTER TABLE sample RENAME COLUMN anew TO vector;
    ALTER TABLE sample ALTER COLUMN vector SET NOT NULL;
    ALTER TABLE sample ALTER COLUMN vector SET STORAGE PLAIN;
    ALTER TABLE sample ALTER COLUMN vector SET STATISTICS 0
"""
Embed = Callable[[list[bytes]], NDArray[np.float32]]


def rebuild(connection: Connection[Any], model: ModelRecord, embed: Embed) -> int:
    """Replace every vector by that of another model, and the gallery's model by it; returns how many.

    Args:
        connection: in a transaction, which nobody else can read or write beside until it ends.
        model: of the other model.
        embed: PNG files of crops to unit vectors `float32 [N, d]`.

    Raises:
        GalleryError: a sample has no kept crop, or gets no usable vector.
    """
    connection.execute("LOCK TABLE gallery, sample")
    missing = connection.execute("SELECT count(*) FROM sample WHERE kept IS NULL").fetchone()
    if missing != (0,):
        cure = "enrol their photos again with keep_crops=true, or into a new gallery"
        raise GalleryError(
            f"{missing and missing[0]} samples have no kept crop, so no other model can embed them; {cure}"
        )
    connection.execute(sql.SQL(_BEFORE).format(dim=sql.Literal(model.dim)))
    keys = connection.execute("SELECT person_id, crop FROM sample").fetchall()
    for start in range(0, len(keys), _BATCH):
        part = keys[start : start + _BATCH]
        text = "SELECT kept FROM sample WHERE person_id = %s AND crop = %s"
        vectors = embed([connection.execute(text, key).fetchone()[0] for key in part])  # type: ignore[index]
        usable = np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3  # also false for nan
        if not usable.all():
            name = connection.execute(
                "SELECT name FROM person WHERE id = %s", [part[usable.argmin()][0]]
            ).fetchone()
            raise GalleryError(
                f"the model gives no usable vector for a crop of {name and name[0]}; nothing was changed: erase "
                "that person and enrol other photos, or take another model"
            )
        with connection.cursor() as cursor:
            rows = [(vector, *key) for vector, key in zip(vectors, part, strict=True)]
            cursor.executemany("UPDATE sample SET anew = %s WHERE person_id = %s AND crop = %s", rows)
    connection.execute(_AFTER)
    connection.execute("UPDATE gallery SET model = %s, dim = %s", [model.fingerprint, model.dim])
    for person in {person for person, _ in keys}:
        set_centroid(connection, person)
    record(connection, "rebuild", None, len(keys))
    return len(keys)
