"""Write samples: everything that changes whose faces are known."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

from facerec.errors import GalleryError, TakenError, UnknownPersonError
from facerec.gallery.actor import actor
from facerec.gallery.codes import code
from facerec.gallery.records import Sample

_INSERT = """
    INSERT INTO sample (person_id, crop, vector, source, box, score, kept) VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (person_id, crop) DO NOTHING
"""
_CENTROID = """
    INSERT INTO centroid (person_id, code) VALUES (%s, %s)
    ON CONFLICT (person_id) DO UPDATE SET code = excluded.code
"""
_MOVE = """
    INSERT INTO sample (person_id, crop, vector, source, box, score, kept, created)
    SELECT %s, crop, vector, source, box, score, kept, created FROM sample WHERE person_id = %s
    ON CONFLICT (person_id, crop) DO NOTHING
"""


def add_samples(connection: Connection[Any], name: str, note: str | None, samples: Sequence[Sample]) -> int:
    """Add samples to a person, who is made if there is none of that name; returns how many were new.

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
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, [_row(person, sample) for sample in samples])
        new = cursor.rowcount
    if new:
        set_centroid(connection, person)
        record(connection, "enroll", person, new)
    return new


def merge_persons(connection: Connection[Any], name: str | UUID, into: str | UUID) -> None:
    """Give all samples of one person to another, and forget the one."""
    # both locks in one order, whichever way round two processes merge the same two
    persons = {one: lock_person(connection, one) for one in sorted((name, into), key=str)}
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
    row = connection.execute(
        f"SELECT id FROM person WHERE {column(name)} = %s FOR UPDATE".encode(), [name]
    ).fetchone()
    if row is None:
        raise UnknownPersonError(
            f"{name}: nobody of that name is enrolled; `python -m facerec.gallery list` shows who is"
        )
    person: UUID = row[0]
    return person


def column(name: str | UUID) -> str:
    """Where to look a person up: by number, which a rename between two calls does not change, or by name."""
    return "id" if isinstance(name, UUID) else "name"


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
