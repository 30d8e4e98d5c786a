"""Add samples to a person."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.errors import TakenError
from facerec.gallery.audit import record_event
from facerec.gallery.binary_codes import store_code
from facerec.gallery.people import lock_person
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
    connection: Connection[Any], model: str, name: str, note: str | None, samples: Sequence[Sample]
) -> tuple[int, list[float]]:
    """Add samples to a person, who is created if nobody has that name.

    Args:
        connection: in a transaction.
        model: fingerprint of the samples' model.
        name: of the person.
        note: replaces the person's, unless None.
        samples: one at least.

    Returns:
        How many were new, and the similarity of each to the person's earlier samples: see `similarities`.

    Raises:
        GalleryError: the gallery was rebuilt with another model.
        TakenError: a crop is enrolled as somebody else.
    """
    check_model(connection, model, lock=True)
    crops = [sample.digest() for sample in samples]
    _lock_crops(connection, crops)
    connection.execute(
        "INSERT INTO person (id, name) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING", [uuid4(), name]
    )
    person = lock_person(connection, name)
    if note is not None:
        connection.execute("UPDATE person SET note = %s WHERE id = %s", [note, person])
    _refuse_crops_of_others(connection, name, person, crops)
    earlier = similarities(connection, person, [sample.vector for sample in samples])
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, [_row(person, sample) for sample in samples])
        new = cursor.rowcount
    if new:
        store_code(connection, person)
        record_event(connection, "enroll", person, new)
    return new, earlier


def similarities(connection: Connection[Any], person: UUID, vectors: Sequence[NDArray[np.floating]]) -> list[float]:
    """The similarity of each vector to the nearest sample of a person; empty if the person has no samples."""
    return [row[0] for row in connection.execute(_SIMILARITIES, [list(vectors), person])]


def _refuse_crops_of_others(connection: Connection[Any], name: str, person: UUID, crops: Sequence[bytes]) -> None:
    statement = "SELECT person_id, source FROM sample WHERE crop = ANY(%s) AND person_id <> %s LIMIT 1"
    row = connection.execute(statement, [crops, person]).fetchone()
    if row is None:
        return
    other = connection.execute("SELECT name FROM person WHERE id = %s", [row[0]]).fetchone()
    owner = f"{other[0] if other else row[0]} (from {row[1] or 'no photo'})"
    raise TakenError(f"{name}: the same crop is enrolled as {owner}; enrol it as one of the two, or merge them")


def _row(person: UUID, sample: Sample) -> list[Any]:
    box = sample.box and [float(edge) for edge in sample.box]
    return [person, sample.digest(), sample.vector, sample.source, box, sample.score, sample.kept]


def _lock_crops(connection: Connection[Any], crops: Sequence[bytes]) -> None:
    """Let nobody else enrol these crops until the transaction ends.

    A unique index could not do it: on Citus its columns must include the distribution key.
    """
    keys = sorted({int.from_bytes(crop[:8], "big", signed=True) for crop in crops})
    connection.execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", [keys])
