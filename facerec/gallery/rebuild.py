"""Move a gallery to another model by embedding its kept crops again."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql

from facerec.errors import GalleryError
from facerec.gallery.audit import record_event
from facerec.gallery.binary_codes import store_code
from facerec.gallery.index_tables import mark_unwiped
from facerec.gallery.vectors import unit_length
from facerec.models.record import ModelRecord

log = logging.getLogger(__name__)

_BATCH = 256
_BEFORE = "ALTER TABLE {table} ADD COLUMN new_vector vector({dim})"
_AFTER = """
    ALTER TABLE {table} DROP COLUMN vector;
    ALTER TABLE {table} RENAME COLUMN new_vector TO vector;
    ALTER TABLE {table} ALTER COLUMN vector SET NOT NULL;
    ALTER TABLE {table} ALTER COLUMN vector SET STORAGE PLAIN;
    ALTER TABLE {table} ALTER COLUMN vector SET STATISTICS 0
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

    Denied faces whose crop was not kept are forgotten, and so is what could be undone. The index of photos is
    emptied: vectors of two models can't be compared, and its crops are not kept.

    Args:
        connection: in a transaction; nobody else can read or write the gallery until it ends.
        model: the new one.
        embed: turns PNG files of crops into unit vectors `float32 [N, d]`.

    Raises:
        GalleryError: a sample's crop was not kept, or the model returns no unit vector for a crop.
    """
    connection.execute("LOCK TABLE gallery, sample, denial, change")
    missing = connection.execute("SELECT count(*) FROM sample WHERE kept IS NULL").fetchone()
    if missing != (0,):
        cure = "enrol their photos again with keep_crops=true, or enrol them in a new gallery"
        raise GalleryError(
            f"{missing and missing[0]} samples have no kept crop, so another model can't embed them; {cure}"
        )
    if forgotten := connection.execute("DELETE FROM denial WHERE kept IS NULL").rowcount:
        log.warning(
            "%d faces that were said not to be somebody have no kept crop, and are forgotten: deny them again",
            forgotten,
        )
    connection.execute("DELETE FROM change")  # it holds vectors of the old model
    keys = _embed_again(connection, "sample", model.dim, embed)
    _embed_again(connection, "denial", model.dim, embed)
    connection.execute(sql.SQL(_NEW_INDEX).format(dim=sql.Literal(model.dim)))
    mark_unwiped(connection)
    connection.execute("UPDATE gallery SET model = %s, dim = %s", [model.fingerprint, model.dim])
    for person in {person for person, _ in keys}:
        store_code(connection, person)
    record_event(connection, "rebuild", None, len(keys))
    return len(keys)


def _embed_again(connection: Connection[Any], table: str, dim: int, embed: EmbedPngs) -> list[tuple[UUID, bytes]]:
    """Replace the vectors of a table, sample or denial; returns its persons and crops."""
    names = {"table": sql.Identifier(table), "dim": sql.Literal(dim)}
    connection.execute(sql.SQL(_BEFORE).format(**names))
    keys = connection.execute(sql.SQL("SELECT person_id, crop FROM {table}").format(**names)).fetchall()
    kept = sql.SQL("SELECT kept FROM {table} WHERE person_id = %s AND crop = %s").format(**names)
    store = sql.SQL("UPDATE {table} SET new_vector = %s WHERE person_id = %s AND crop = %s").format(**names)
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        vectors = embed([connection.execute(kept, key).fetchone()[0] for key in batch])  # type: ignore[index]
        usable = unit_length(vectors)
        if not usable.all():
            person = batch[usable.argmin()][0]
            row = connection.execute("SELECT name FROM person WHERE id = %s", [person]).fetchone()
            raise GalleryError(
                f"the model returns no usable vector for a crop of {row and row[0]}; nothing was changed: erase "
                "that person and enrol other photos, or choose another model"
            )
        with connection.cursor() as cursor:
            cursor.executemany(store, [(vector, *key) for vector, key in zip(vectors, batch, strict=True)])
    connection.execute(sql.SQL(_AFTER).format(**names))
    return keys
