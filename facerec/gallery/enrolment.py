"""Add samples to a person."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.errors import TakenError
from facerec.gallery.audit import record_event
from facerec.gallery.binary_codes import store_code
from facerec.gallery.people import person_to_enroll
from facerec.gallery.records import Sample
from facerec.gallery.vectors import check_model

_INSERT = """
    INSERT INTO sample (person_id, crop, vector, source, box, score, kept) VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (person_id, crop) DO NOTHING
"""
_SIMILARITIES = """
    SELECT max(-(sample.vector <#> probe.vector))
    FROM unnest(%s::vector[]) WITH ORDINALITY AS probe (vector, number), sample
    WHERE person_id = %s GROUP BY number ORDER BY number
"""


def add_samples(
    connection: Connection[Any],
    model: str,
    who: str | UUID,
    note: str | None,
    samples: Sequence[Sample],
    new_id: UUID,
    *,
    new: bool,
) -> tuple[UUID, int, list[float]]:
    """Add samples to a person, who is created if nobody has that name.

    Args:
        connection: in a transaction.
        model: fingerprint of the samples' model.
        who: a clean name, or the person's id.
        note: replaces the person's, unless None.
        samples: one at least.
        new_id: of a person who is created.
        new: create a person even if somebody has that name.

    Returns:
        The person, how many samples were new, and the similarity of each to the person's earlier samples: see
        `similarities`.

    Raises:
        GalleryError: the gallery was rebuilt with another model, or several persons have that name.
        TakenError: a crop is enrolled as somebody else.
    """
    check_model(connection, model, lock=True)
    crops = [sample.digest() for sample in samples]
    _lock_crops(connection, crops)
    person = person_to_enroll(connection, who, new_id, new=new)
    if note is not None:
        connection.execute("UPDATE person SET note = %s WHERE id = %s", [note, person])
    _refuse_crops_of_others(connection, who, person, crops)
    earlier = similarities(connection, person, [sample.vector for sample in samples])
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, [sample.row(person) for sample in samples])
        added = cursor.rowcount
    if added:
        store_code(connection, person)
        record_event(connection, "enroll", person, added)
    # who enrols a face as somebody takes back that it is not them
    connection.execute("DELETE FROM denial WHERE person_id = %s AND crop = ANY(%s)", [person, crops])
    return person, added, earlier


def similarities(connection: Connection[Any], person: UUID, vectors: Sequence[NDArray[np.floating]]) -> list[float]:
    """The similarity of each vector to the nearest sample of a person; empty if the person has no samples."""
    return [row[0] for row in connection.execute(_SIMILARITIES, [list(vectors), person])]


def _refuse_crops_of_others(
    connection: Connection[Any], who: str | UUID, person: UUID, crops: Sequence[bytes]
) -> None:
    statement = "SELECT person_id, source FROM sample WHERE crop = ANY(%s) AND person_id <> %s LIMIT 1"
    row = connection.execute(statement, [crops, person]).fetchone()
    if row is None:
        return
    other = connection.execute("SELECT name FROM person WHERE id = %s", [row[0]]).fetchone()
    owner = f"{other[0] if other else row[0]} (from {row[1] or 'no photo'})"
    raise TakenError(
        f"{who}: the same crop is enrolled as {owner}; move it (facerec gallery move), or merge the two"
    )


def _lock_crops(connection: Connection[Any], crops: Sequence[bytes]) -> None:
    """Let nobody else enrol these crops until the transaction ends.

    A unique index could not do it: on Citus its columns must include the distribution key.
    """
    keys = sorted({int.from_bytes(crop[:8], "big", signed=True) for crop in crops})
    connection.execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", [keys])
