"""Undo: what a correction changes is kept as it was before, until it expires."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

from facerec.errors import TakenError, UndoError
from facerec.gallery.audit import record_event
from facerec.gallery.binary_codes import store_code
from facerec.gallery.records import SHORT_ID, Change

_COLUMNS = "person_id, crop, vector, source, box, score, kept, created"
_KEEP_PERSONS = """
    INSERT INTO change_person SELECT %s, id, name, note, created, ignored FROM person
    WHERE id = ANY(%s) AND id IS DISTINCT FROM %s
"""
_KEEP_SAMPLES = f"""
    INSERT INTO change_sample (change_id, denied, {_COLUMNS})
    SELECT %s, {{denied}}, {_COLUMNS} FROM {{table}} WHERE person_id = ANY(%s) AND crop = ANY(%s)
"""
_LIST = """
    SELECT id, at, expires, action, cardinality(crops), ARRAY(
        SELECT name FROM change_person AS person WHERE change_id = change.id
        ORDER BY array_position(persons, person.id)
    )
    FROM change WHERE expires > now() ORDER BY at DESC
"""
_TAKEN = """
    SELECT person.name FROM sample JOIN person ON person.id = sample.person_id
    WHERE NOT person_id = ANY(%s) AND crop IN (SELECT crop FROM change_sample WHERE change_id = %s AND NOT denied)
"""
_RESTORE_PERSONS = """
    INSERT INTO person (id, name, note, created, ignored)
    SELECT id, name, note, created, ignored FROM change_person WHERE change_id = %s
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, note = excluded.note, ignored = excluded.ignored
"""
_RESTORE_SAMPLES = f"""
    INSERT INTO {{table}} ({_COLUMNS})
    SELECT {_COLUMNS} FROM change_sample WHERE change_id = %s AND denied = {{denied}}
"""
_TABLES = (("sample", "false"), ("denial", "true"))


def keep(
    connection: Connection[Any],
    days: float,
    action: str,
    persons: Sequence[UUID],
    crops: Collection[bytes] = (),
    created: UUID | None = None,
) -> UUID | None:
    """Keep persons and some of their samples and denials as they are, just before a correction changes them.

    Args:
        connection: in the transaction of the change.
        days: for which it can be undone; 0: not at all.
        action: name of the change.
        persons: all whom it changes, creates or deletes.
        crops: of the samples and denials that it adds, moves or deletes.
        created: one of the persons, if the change has just created them.

    Returns:
        The id of the change; None if it can't be undone.
    """
    if days <= 0:
        return None
    change = uuid4()
    statement = "INSERT INTO change VALUES (%s, now(), now() + %s * interval '1 day', %s, %s, %s)"
    connection.execute(statement, [change, days, action, list(persons), list(crops)])
    connection.execute(_KEEP_PERSONS, [change, list(persons), created])
    for table, denied in _TABLES:
        keeping = _KEEP_SAMPLES.format(table=table, denied=denied)
        connection.execute(keeping.encode(), [change, list(persons), list(crops)])
    return change


def list_changes(connection: Connection[Any]) -> list[Change]:
    """What can be undone, newest first."""
    return [
        Change(change, at, expires, action, samples, tuple(names))
        for change, at, expires, action, samples, names in connection.execute(_LIST)
    ]


def undo(connection: Connection[Any], change: Change) -> None:
    """Put everything back as it was before a change.

    Raises:
        UndoError: a later change touches the same persons, or it can't be undone any more.
        TakenError: one of its crops is enrolled as somebody else by now.
    """
    row = connection.execute(
        "SELECT at, persons, crops FROM change WHERE id = %s FOR UPDATE", [change.id]
    ).fetchone()
    if row is None:
        raise UndoError(f"change: {change.short_id} can't be undone any more")
    at, persons, crops = row
    connection.execute("SELECT FROM person WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [persons])
    later = connection.execute(
        "SELECT id FROM change WHERE at > %s AND persons && %s ORDER BY at DESC LIMIT 1", [at, persons]
    ).fetchone()
    if later:
        raise UndoError(
            f"change: {change.short_id} is followed by {str(later[0])[:SHORT_ID]}, which touches the same "
            "persons; undo that one first"
        )
    if taken := connection.execute(_TAKEN, [persons, change.id]).fetchone():
        raise TakenError(
            f"change: a crop of {change.short_id} is enrolled as {taken[0]} by now; delete it there first"
        )
    connection.execute(_RESTORE_PERSONS, [change.id])
    for table, denied in _TABLES:
        connection.execute(
            f"DELETE FROM {table} WHERE person_id = ANY(%s) AND crop = ANY(%s)".encode(), [persons, crops]
        )
        connection.execute(_RESTORE_SAMPLES.format(table=table, denied=denied).encode(), [change.id])
    for person in persons:
        _tidy(connection, person, change.id)
    connection.execute("DELETE FROM change WHERE id = %s", [change.id])
    record_event(connection, "undo", persons[0], len(crops))


def forget(connection: Connection[Any], person: UUID, crops: Sequence[bytes]) -> None:
    """Forget every change that holds something of a person, who is about to be erased.

    Those are the changes of the person, those of persons who were merged into them, and those of the crops.

    Args:
        connection: in a transaction.
        person: who is about to be erased.
        crops: SHA-256 of crops that show the person.
    """
    gone = {person}
    statement = "DELETE FROM change WHERE persons && %s OR crops && %s RETURNING persons"
    while True:
        rows = connection.execute(statement, [list(gone), list(crops)]).fetchall()
        touched = {member for (persons,) in rows for member in persons}
        enrolled = connection.execute("SELECT id FROM person WHERE id = ANY(%s)", [list(touched)]).fetchall()
        if not (merged := touched - gone - {row[0] for row in enrolled}):
            return
        gone |= merged


def delete_expired(connection: Connection[Any]) -> bool:
    """Forget what can't be undone any more; returns whether there was any."""
    return connection.execute("DELETE FROM change WHERE expires <= now()").rowcount > 0


def _tidy(connection: Connection[Any], person: UUID, change: UUID) -> None:
    """Compute a person's code anew; delete whom the change had created, unless they have other samples by now."""
    statement = """
        DELETE FROM person WHERE id = %(person)s
            AND NOT EXISTS (SELECT FROM change_person WHERE change_id = %(change)s AND id = %(person)s)
            AND NOT EXISTS (SELECT FROM sample WHERE person_id = %(person)s)
            AND NOT EXISTS (SELECT FROM denial WHERE person_id = %(person)s)
    """
    connection.execute("DELETE FROM centroid WHERE person_id = %s", [person])
    if not connection.execute(statement, {"person": person, "change": change}).rowcount:
        store_code(connection, person)
