"""Write samples: everything that changes whose faces are known."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.errors import GalleryError, TakenError, UnknownPersonError
from facerec.gallery.audit import actor
from facerec.gallery.binary_codes import code
from facerec.gallery.names import clean_name
from facerec.gallery.records import Sample

_INSERT = """
    INSERT INTO sample (person_id, crop, vector, source, box, score, kept) VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (person_id, crop) DO NOTHING
"""
_CENTROID = """
    INSERT INTO centroid (person_id, code) VALUES (%s, %s)
    ON CONFLICT (person_id) DO UPDATE SET code = excluded.code
"""
_SIMILARITIES = """
    SELECT max(-(sample.vector <#> probe.vector))
    FROM unnest(%s::vector[]) WITH ORDINALITY AS probe (vector, number), sample
    WHERE person_id = %s GROUP BY number ORDER BY number
"""
_MOVE = """
    INSERT INTO sample (person_id, crop, vector, source, box, score, kept, created)
    SELECT %s, crop, vector, source, box, score, kept, created FROM sample WHERE person_id = %s
    ON CONFLICT (person_id, crop) DO NOTHING
"""


def add_samples(
    connection: Connection[Any], name: str, note: str | None, samples: Sequence[Sample]
) -> tuple[int, list[float]]:
    """Add samples to a person, who is made if there is none of that name.

    Returns:
        How many were new, and how similar each is to those the person had: see `similarities`.

    Raises:
        TakenError: a crop is enrolled as somebody else.
    """
    crops = [sample.digest() for sample in samples]
    _lock_crops(connection, crops)
    connection.execute(
        "INSERT INTO person (id, name) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING", [uuid4(), name]
    )
    person = lock_person(connection, name)
    if note is not None:
        connection.execute("UPDATE person SET note = %s WHERE id = %s", [note, person])
    found = "SELECT person_id, source FROM sample WHERE crop = ANY(%s) AND person_id <> %s LIMIT 1"
    if taken := connection.execute(found, [crops, person]).fetchone():
        other = connection.execute("SELECT name FROM person WHERE id = %s", [taken[0]]).fetchone()
        theirs = f"{other[0] if other else taken[0]} (from {taken[1] or 'no photo'})"
        raise TakenError(
            f"{name}: the same crop is enrolled as {theirs}; enrol it as one of them, or merge the two"
        )
    near = similarities(connection, person, [sample.vector for sample in samples])
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, [_row(person, sample) for sample in samples])
        new = cursor.rowcount
    if new:
        set_centroid(connection, person)
        record(connection, "enroll", person, new)
    return new, near


def similarities(connection: Connection[Any], person: UUID, vectors: Sequence[NDArray[np.floating]]) -> list[float]:
    """Of each vector to the nearest of a person's samples; none where the person has no samples."""
    return [row[0] for row in connection.execute(_SIMILARITIES, [list(vectors), person])]


def merge_persons(connection: Connection[Any], name: str | UUID, into: str | UUID) -> None:
    """Give all samples of one person to another, and forget the one.

    Raises:
        GalleryError: they are one, or there is no such person.
    """
    # both locks in one order, whichever way round two processes merge the same two
    persons = {one: lock_person(connection, one) for one in sorted((name, into), key=str)}
    if persons[name] == persons[into]:
        raise GalleryError(f"{name}: can't be merged with themselves")
    moved = connection.execute(_MOVE, [persons[into], persons[name]]).rowcount
    remove(connection, persons[name])
    set_centroid(connection, persons[into])
    record(connection, "merge", persons[into], moved)


def remove(connection: Connection[Any], person: UUID) -> int:
    """Delete a person and their samples; returns how many those were."""
    samples = connection.execute("DELETE FROM sample WHERE person_id = %s", [person]).rowcount
    connection.execute("DELETE FROM centroid WHERE person_id = %s", [person])
    connection.execute("DELETE FROM person WHERE id = %s", [person])
    return samples


def check_model(connection: Connection[Any], model: str) -> None:
    """The gallery is still of this model, and stays so until the transaction ends.

    Raises:
        GalleryError: it was rebuilt with another.
    """
    row = connection.execute("SELECT model FROM gallery FOR SHARE").fetchone()
    if row != (model,):
        raise GalleryError(
            f"the gallery is of model {row and row[0]} by now, and the vectors are of {model}; open it anew"
        )


def lock_person(connection: Connection[Any], name: str | UUID) -> UUID:
    """The person of a name or number, kept from others until the transaction ends.

    Raises:
        UnknownPersonError: there is none.
    """
    person = find_person(connection, name)
    if connection.execute("SELECT FROM person WHERE id = %s FOR UPDATE", [person]).fetchone() is None:
        raise UnknownPersonError(f"{name}: was erased just now")
    return person


def find_person(connection: Connection[Any], name: str | UUID) -> UUID:
    """The number of a person: by number, which a rename between two calls does not change, or by name, as it is
    typed or as `clean_name` has it.

    Raises:
        UnknownPersonError: there is none.
    """
    if isinstance(name, UUID):
        rows = connection.execute("SELECT name, id FROM person WHERE id = %s", [name]).fetchall()
    else:
        spellings = [name]
        with suppress(GalleryError):
            spellings.append(clean_name(name))
        rows = connection.execute("SELECT name, id FROM person WHERE name = ANY(%s)", [spellings]).fetchall()
    if not rows:
        raise UnknownPersonError(
            f"{name}: nobody of that name is enrolled; `python -m facerec.gallery list` shows who is"
        )
    found: dict[str, UUID] = dict(rows)
    return found.get(str(name)) or next(iter(found.values()))


def record(connection: Connection[Any], action: str, person: UUID | None, samples: int = 0) -> None:
    """Write down who did what."""
    statement = "INSERT INTO event (id, actor, action, person_id, samples) VALUES (%s, %s, %s, %s, %s)"
    connection.execute(statement, [uuid4(), actor(), action, person, samples])


def set_centroid(connection: Connection[Any], person: UUID) -> None:
    """Code the mean of a person's samples."""
    row = connection.execute("SELECT avg(vector) FROM sample WHERE person_id = %s", [person]).fetchone()
    assert row is not None
    connection.execute(_CENTROID, [person, code(row[0].to_numpy())])


def _row(person: UUID, sample: Sample) -> list[Any]:
    box = sample.box and [float(edge) for edge in sample.box]
    return [person, sample.digest(), sample.vector, sample.source, box, sample.score, sample.kept]


def _lock_crops(connection: Connection[Any], crops: Sequence[bytes]) -> None:
    """Nobody else enrols these crops until the transaction ends: uniqueness that no distributed key could give."""
    keys = sorted({int.from_bytes(crop[:8], "big", signed=True) for crop in crops})
    connection.execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", [keys])
