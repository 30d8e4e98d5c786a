"""Who is enrolled: look them up, and rename them."""

from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from facerec.errors import TakenError, UnknownPersonError
from facerec.gallery.enrolment import find_person, lock_person, record
from facerec.gallery.records import Event, Kept, Person, Size

_PERSON = """
    SELECT id, name, note, created, (SELECT count(*) FROM sample WHERE person_id = person.id) AS samples
    FROM person {} ORDER BY name
"""
_SAMPLES = (
    "SELECT encode(crop, 'hex'), source, box, score, created FROM sample WHERE person_id = %s ORDER BY created"
)
_SIZE = "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM sample)"
_EVENTS = "SELECT at, actor, action, person_id, samples FROM event ORDER BY at DESC LIMIT %s"


def everybody(connection: Connection[Any]) -> list[Person]:
    """All persons, by name."""
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        return cursor.execute(_PERSON.format("").encode()).fetchall()


def one(connection: Connection[Any], name: str | UUID) -> tuple[Person, list[Kept]]:
    """A person and their samples, oldest first.

    Raises:
        UnknownPersonError: nobody has that name.
    """
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        number = find_person(connection, name)
        person = cursor.execute(_PERSON.format("WHERE id = %s").encode(), [number]).fetchone()
    if person is None:
        raise UnknownPersonError(f"{name}: was erased just now")
    rows = connection.execute(_SAMPLES, [person.id]).fetchall()
    return person, [
        Kept(crop, source, box and tuple(box), score, created) for crop, source, box, score, created in rows
    ]


def rename(connection: Connection[Any], name: str | UUID, to: str, note: str | None) -> None:
    """Give a person another name, and another note unless it is None.

    Raises:
        UnknownPersonError, TakenError: nobody has that name, or somebody has the new one.
    """
    person = lock_person(connection, name)
    if connection.execute("SELECT 1 FROM person WHERE name = %s AND id <> %s", [to, person]).fetchone():
        raise TakenError(f"{to}: somebody of that name is enrolled; merge the two instead")
    connection.execute("UPDATE person SET name = %s, note = coalesce(%s, note) WHERE id = %s", [to, note, person])
    record(connection, "rename", person)


def size(connection: Connection[Any]) -> Size:
    """How many persons and samples there are."""
    row = connection.execute(_SIZE).fetchone()
    assert row is not None
    return Size(*row)


def events(connection: Connection[Any], last: int) -> list[Event]:
    """The last things done, newest first."""
    return [Event(*row) for row in connection.execute(_EVENTS, [last]).fetchall()]
