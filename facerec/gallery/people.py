"""The persons of a gallery: find, list, rename, merge and delete them."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from facerec.errors import GalleryError, TakenError, UnknownPersonError
from facerec.gallery.audit import record_event
from facerec.gallery.binary_codes import store_code
from facerec.gallery.names import clean_name
from facerec.gallery.records import GallerySize, Person, StoredSample

_PERSON = """
    SELECT id, name, note, created, (SELECT count(*) FROM sample WHERE person_id = person.id) AS samples
    FROM person {} ORDER BY name
"""
_SAMPLES = (
    "SELECT encode(crop, 'hex'), source, box, score, created FROM sample WHERE person_id = %s ORDER BY created"
)
_MOVE = """
    INSERT INTO sample (person_id, crop, vector, source, box, score, kept, created)
    SELECT %s, crop, vector, source, box, score, kept, created FROM sample WHERE person_id = %s
    ON CONFLICT (person_id, crop) DO NOTHING
"""
_SAMPLES_OF_PERSONS = """
    SELECT samples, count(*) FROM (SELECT count(*) AS samples FROM sample GROUP BY person_id) AS person
    GROUP BY samples
"""
_SIZE = "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM sample)"


def find_person(connection: Connection[Any], name: str | UUID) -> UUID:
    """The id of a person, given by id or by name.

    An id survives a rename between two calls. A name is found as it is typed or as `clean_name` spells it.

    Raises:
        UnknownPersonError: nobody has that name or id.
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
    ids: dict[str, UUID] = dict(rows)
    return ids.get(str(name)) or next(iter(ids.values()))


def lock_person(connection: Connection[Any], name: str | UUID) -> UUID:
    """Like `find_person`, and lock the person until the transaction ends.

    Raises:
        UnknownPersonError: nobody has that name or id.
    """
    person = find_person(connection, name)
    if connection.execute("SELECT FROM person WHERE id = %s FOR UPDATE", [person]).fetchone() is None:
        raise _erased_meanwhile(name)
    return person


def list_persons(connection: Connection[Any]) -> list[Person]:
    """All persons, by name."""
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        return cursor.execute(_PERSON.format("").encode()).fetchall()


def read_person(connection: Connection[Any], name: str | UUID) -> tuple[Person, list[StoredSample]]:
    """A person and their samples, oldest first.

    Raises:
        UnknownPersonError: nobody has that name or id.
    """
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        person_id = find_person(connection, name)
        person = cursor.execute(_PERSON.format("WHERE id = %s").encode(), [person_id]).fetchone()
    if person is None:
        raise _erased_meanwhile(name)
    rows = connection.execute(_SAMPLES, [person.id]).fetchall()
    return person, [
        StoredSample(crop, source, box and tuple(box), score, created) for crop, source, box, score, created in rows
    ]


def rename_person(connection: Connection[Any], name: str | UUID, to: str, note: str | None) -> None:
    """Rename a person, and replace the note unless it is None.

    Raises:
        UnknownPersonError, TakenError: nobody has that name or id, or somebody else has the new name.
    """
    person = lock_person(connection, name)
    if connection.execute("SELECT 1 FROM person WHERE name = %s AND id <> %s", [to, person]).fetchone():
        raise TakenError(f"{to}: somebody of that name is already enrolled; merge the two instead")
    connection.execute("UPDATE person SET name = %s, note = coalesce(%s, note) WHERE id = %s", [to, note, person])
    record_event(connection, "rename", person)


def merge_persons(connection: Connection[Any], name: str | UUID, into: str | UUID) -> None:
    """Move all samples of one person to another, and delete the first.

    Raises:
        GalleryError: both are the same person, or one of them is not enrolled.
    """
    # two processes that merge the same two must lock them in the same order
    persons = {key: lock_person(connection, key) for key in sorted((name, into), key=str)}
    if persons[name] == persons[into]:
        raise GalleryError(f"{name}: can't be merged with themselves")
    moved = connection.execute(_MOVE, [persons[into], persons[name]]).rowcount
    delete_person(connection, persons[name])
    store_code(connection, persons[into])
    record_event(connection, "merge", persons[into], moved)


def delete_person(connection: Connection[Any], person: UUID) -> int:
    """Delete a person and their samples; returns the number of samples."""
    samples = connection.execute("DELETE FROM sample WHERE person_id = %s", [person]).rowcount
    connection.execute("DELETE FROM centroid WHERE person_id = %s", [person])
    connection.execute("DELETE FROM person WHERE id = %s", [person])
    return samples


def count(connection: Connection[Any]) -> GallerySize:
    """How many persons and samples there are."""
    row = connection.execute(_SIZE).fetchone()
    assert row is not None
    return GallerySize(*row)


def count_samples(connection: Connection[Any]) -> dict[int, int]:
    """Number of samples → how many persons have so many."""
    return dict(connection.execute(_SAMPLES_OF_PERSONS).fetchall())


def _erased_meanwhile(name: str | UUID) -> UnknownPersonError:
    return UnknownPersonError(f"{name}: has just been erased")
