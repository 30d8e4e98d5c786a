"""The persons of a gallery: find, create, list, rename, merge, ignore and delete them."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from facerec.errors import AmbiguousNameError, GalleryError, UnknownPersonError
from facerec.gallery.binary_codes import store_code
from facerec.gallery.names import clean_name
from facerec.gallery.records import SHORT_ID, GallerySize, Person, StoredSample

_ID = re.compile(rf"[0-9a-f]{{{SHORT_ID}}}[0-9a-f-]{{0,28}}")
_PERSON = """
    SELECT id, name, note, created, ignored,
        (SELECT count(*) FROM sample WHERE person_id = person.id) AS samples,
        (
            SELECT encode(crop, 'hex') FROM sample WHERE person_id = person.id AND kept IS NOT NULL
            ORDER BY created, source, crop LIMIT 1
        ) AS picture
    FROM person {} ORDER BY name, created
"""
_SAMPLES = """
    SELECT encode(crop, 'hex'), source, box, score, created, kept IS NOT NULL FROM sample WHERE person_id = %s
    ORDER BY created, source, crop
"""
_MOVE = """
    INSERT INTO {table} (person_id, crop, vector, source, box, score, kept, created)
    SELECT %s, crop, vector, source, box, score, kept, created FROM {table} WHERE person_id = %s
    ON CONFLICT (person_id, crop) DO NOTHING
"""
_SAMPLES_OF_PERSONS = """
    SELECT samples, count(*) FROM (SELECT count(*) AS samples FROM sample GROUP BY person_id) AS person
    GROUP BY samples
"""
_SIZE = "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM sample)"


def find_person(connection: Connection[Any], who: str | UUID) -> UUID:
    """The id of a person, given by id, by name, or by the beginning of the id.

    An id survives a rename between two calls. A name is found as it is typed or as `clean_name` spells it.

    Raises:
        UnknownPersonError: nobody has that name or id.
        AmbiguousNameError: several persons have it.
    """
    if isinstance(who, UUID):
        rows = connection.execute("SELECT id, note FROM person WHERE id = %s", [who]).fetchall()
    else:
        rows = _of_name(connection, who)
        if not rows and _ID.fullmatch(who):
            statement = "SELECT id, note FROM person WHERE id::text LIKE %s"
            rows = connection.execute(statement, [f"{who}%"]).fetchall()
    if not rows:
        raise UnknownPersonError(
            f"{who}: nobody of that name is enrolled; `python -m facerec.gallery list` shows who is"
        )
    if len(rows) > 1:
        listed = ", ".join(str(person)[:SHORT_ID] + (f" ({note})" if note else "") for person, note in rows)
        raise AmbiguousNameError(f"{who}: {len(rows)} persons have this name; give the id instead: {listed}")
    person: UUID = rows[0][0]
    return person


def lock_person(connection: Connection[Any], who: str | UUID) -> UUID:
    """Like `find_person`, and lock the person until the transaction ends.

    Raises:
        UnknownPersonError, AmbiguousNameError: as `find_person`.
    """
    person = find_person(connection, who)
    if connection.execute("SELECT FROM person WHERE id = %s FOR UPDATE", [person]).fetchone() is None:
        raise _erased_meanwhile(who)
    return person


def lock_persons(connection: Connection[Any], persons: Sequence[str | UUID]) -> list[UUID]:
    """Lock several persons, in an order in which two processes that lock the same ones don't wait for each other.

    Raises:
        UnknownPersonError, AmbiguousNameError: as `find_person`.
    """
    ids = [find_person(connection, who) for who in persons]
    for person in sorted(set(ids)):
        lock_person(connection, person)
    return ids


def person_to_enroll(connection: Connection[Any], who: str | UUID, new_id: UUID, *, new: bool) -> UUID:
    """The person of that name or id, locked; who is created if nobody has that name.

    Args:
        connection: in a transaction.
        who: a clean name, or an id.
        new_id: of a person who is created.
        new: create a person even if somebody has that name.

    Raises:
        UnknownPersonError: nobody has that id.
        AmbiguousNameError: several persons have that name.
    """
    if isinstance(who, UUID):
        return lock_person(connection, who)
    # of two processes that enrol the same new name, one waits and then finds the other's person
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [who])
    if not new:
        with suppress(UnknownPersonError):
            return lock_person(connection, who)
    connection.execute("INSERT INTO person (id, name) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING", [new_id, who])
    return lock_person(connection, new_id)


def similar_names(connection: Connection[Any], name: str) -> list[str]:
    """The names of other persons that differ from this one in upper and lower case only."""
    statement = "SELECT DISTINCT name FROM person WHERE lower(name) = lower(%s) AND name <> %s ORDER BY name"
    return [row[0] for row in connection.execute(statement, [name, name])]


def list_persons(connection: Connection[Any]) -> list[Person]:
    """All persons, by name."""
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        return cursor.execute(_PERSON.format("").encode()).fetchall()


def read_person(connection: Connection[Any], who: str | UUID) -> tuple[Person, list[StoredSample]]:
    """A person and their samples, oldest first.

    Raises:
        UnknownPersonError, AmbiguousNameError: as `find_person`.
    """
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        person_id = find_person(connection, who)
        person = cursor.execute(_PERSON.format("WHERE id = %s").encode(), [person_id]).fetchone()
    if person is None:
        raise _erased_meanwhile(who)
    rows = connection.execute(_SAMPLES, [person.id]).fetchall()
    return person, list(map(stored_sample, rows))


def stored_sample(row: Sequence[Any]) -> StoredSample:
    """A row of crop, source, box, score, created, and whether the crop was kept."""
    crop, source, box, score, created, kept = row
    return StoredSample(crop, source, box and tuple(box), score, created, kept)


def rename_person(connection: Connection[Any], person: UUID, to: str, note: str | None) -> None:
    """Rename a locked person, and replace the note unless it is None."""
    connection.execute("UPDATE person SET name = %s, note = coalesce(%s, note) WHERE id = %s", [to, note, person])


def merge_persons(connection: Connection[Any], person: UUID, into: UUID) -> int:
    """Move all samples and denials of one locked person to another, and delete the first; returns the samples."""
    moved = connection.execute(_MOVE.format(table="sample").encode(), [into, person]).rowcount
    connection.execute(_MOVE.format(table="denial").encode(), [into, person])
    delete_person(connection, person)
    store_code(connection, into)
    return moved


def delete_person(connection: Connection[Any], person: UUID) -> int:
    """Delete a person with their samples and denials; returns the number of samples."""
    samples = connection.execute("DELETE FROM sample WHERE person_id = %s", [person]).rowcount
    connection.execute("DELETE FROM denial WHERE person_id = %s", [person])
    connection.execute("DELETE FROM centroid WHERE person_id = %s", [person])
    connection.execute("DELETE FROM person WHERE id = %s", [person])
    return samples


def shared_names(connection: Connection[Any]) -> list[str]:
    """Names that several persons have."""
    query = "SELECT name FROM person GROUP BY name HAVING count(*) > 1"
    return [name for (name,) in connection.execute(query).fetchall()]


def count(connection: Connection[Any]) -> GallerySize:
    """How many persons and samples there are."""
    row = connection.execute(_SIZE).fetchone()
    assert row is not None
    return GallerySize(*row)


def count_samples(connection: Connection[Any]) -> dict[int, int]:
    """Number of samples → how many persons have so many."""
    return dict(connection.execute(_SAMPLES_OF_PERSONS).fetchall())


def clean_names(connection: Connection[Any]) -> None:
    """Spell names of older galleries as `clean_name` does; two persons whose names become equal stay two."""
    for person, name in connection.execute("SELECT id, name FROM person").fetchall():
        with suppress(GalleryError):  # what is no valid name today stays as it is
            if clean_name(name) != name:
                connection.execute("UPDATE person SET name = %s WHERE id = %s", [clean_name(name), person])


def _of_name(connection: Connection[Any], name: str) -> list[tuple[UUID, str]]:
    spellings = [name]
    with suppress(GalleryError):
        spellings.append(clean_name(name))
    statement = "SELECT id, note FROM person WHERE name = ANY(%s) ORDER BY created"
    return connection.execute(statement, [spellings]).fetchall()


def _erased_meanwhile(who: str | UUID) -> UnknownPersonError:
    return UnknownPersonError(f"{who}: has just been erased")
