"""Move a gallery to another model by embedding its kept crops again."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql

from facerec.errors import GalleryError
from facerec.gallery.audit import record_event
from facerec.gallery.binary_codes import store_code
from facerec.gallery.index_tables import mark_unwiped
from facerec.gallery.vectors import unit_length
from facerec.models.record import ModelRecord

_BATCH = 256
_BEFORE = "ALTER TABLE sample ADD COLUMN new_vector vector({dim})"
_AFTER = """
    ALTER TABLE sample DROP COLUMN vector;
    ALTER TABLE sample RENAME COLUMN new_vector TO vector;
    ALTER TABLE sample ALTER COLUMN vector SET NOT NULL;
    ALTER TABLE sample ALTER COLUMN vector SET STORAGE PLAIN;
    ALTER TABLE sample ALTER COLUMN vector SET STATISTICS 0
"""
# what was indexed has no crops, so it goes
_NEW_INDEX = """
    TRUNCATE indexed_photo, indexed_face, index_rule;
    ALTER TABLE indexed_face ALTER COLUMN vector TYPE vector({dim});
    ALTER TABLE indexed_face ALTER COLUMN vector SET STORAGE PLAIN;
    ALTER TABLE indexed_face ALTER COLUMN vector SET STATISTICS 0
"""
EmbedPngs = Callable[[list[bytes]], NDArray[np.float32]]


def rebuild(connection: Connection[Any], model: ModelRecord, embed: EmbedPngs) -> int:
    """Replace every vector by another model's, and the gallery's model by that; returns the number of samples.

    The index of photos is emptied: vectors of two models can't be compared, and its crops are not kept.

    Args:
        connection: in a transaction; nobody else can read or write the gallery until it ends.
        model: the new one.
        embed: turns PNG files of crops into unit vectors `float32 [N, d]`.

    Raises:
        GalleryError: a crop was not kept, or the model returns no unit vector for it.
    """
    connection.execute("LOCK TABLE gallery, sample")
    missing = connection.execute("SELECT count(*) FROM sample WHERE kept IS NULL").fetchone()
    if missing != (0,):
        cure = "enrol their photos again with keep_crops=true, or enrol them in a new gallery"
        raise GalleryError(
            f"{missing and missing[0]} samples have no kept crop, so another model can't embed them; {cure}"
        )
    connection.execute(sql.SQL(_BEFORE).format(dim=sql.Literal(model.dim)))
    keys = connection.execute("SELECT person_id, crop FROM sample").fetchall()
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        statement = "SELECT kept FROM sample WHERE person_id = %s AND crop = %s"
        vectors = embed([connection.execute(statement, key).fetchone()[0] for key in batch])  # type: ignore[index]
        usable = unit_length(vectors)
        if not usable.all():
            person = batch[usable.argmin()][0]
            row = connection.execute("SELECT name FROM person WHERE id = %s", [person]).fetchone()
            raise GalleryError(
                f"the model returns no usable vector for a crop of {row and row[0]}; nothing was changed: erase "
                "that person and enrol other photos, or choose another model"
            )
        with connection.cursor() as cursor:
            rows = [(vector, *key) for vector, key in zip(vectors, batch, strict=True)]
            cursor.executemany("UPDATE sample SET new_vector = %s WHERE person_id = %s AND crop = %s", rows)
    connection.execute(_AFTER)
    connection.execute(sql.SQL(_NEW_INDEX).format(dim=sql.Literal(model.dim)))
    mark_unwiped(connection)
    connection.execute("UPDATE gallery SET model = %s, dim = %s", [model.fingerprint, model.dim])
    for person in {person for person, _ in keys}:
        store_code(connection, person)
    record_event(connection, "rebuild", None, len(keys))
    return len(keys)
