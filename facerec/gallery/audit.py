"""The audit: who changed what, and when; without names of persons and without vectors."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

from facerec.gallery.records import Event

_IDENTITY: ContextVar[str] = ContextVar("audit_identity", default="")


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Record changes made inside this block under `name` instead of the user of the process."""
    token = _IDENTITY.set(name)
    try:
        yield
    finally:
        _IDENTITY.reset(token)


def record_event(connection: Connection[Any], action: str, person: UUID | None, samples: int = 0) -> None:
    """Add an event to the audit."""
    statement = "INSERT INTO event (id, actor, action, person_id, samples) VALUES (%s, %s, %s, %s, %s)"
    connection.execute(statement, [uuid4(), _IDENTITY.get() or _process_user(), action, person, samples])


def read_events(connection: Connection[Any], last: int) -> list[Event]:
    """The last events, newest first."""
    statement = "SELECT at, actor, action, person_id, samples FROM event ORDER BY at DESC LIMIT %s"
    return [Event(*row) for row in connection.execute(statement, [last])]


def _process_user() -> str:
    """USER@HOST."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # the user id of a container may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
