"""Erase persons from the tables, from the files of the tables, and from the write-ahead log."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from facerec.errors import GalleryError
from facerec.gallery.audit import record_event
from facerec.gallery.database import Database
from facerec.gallery.index_tables import delete_faces_of
from facerec.gallery.people import delete_person, lock_person
from facerec.gallery.records import Erasure

_PATIENCE = 60.0  # seconds to wait for older transactions
_TABLES = ("sample", "centroid", "person", "indexed_face", "indexed_photo")  # what is personal
_OLDER = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
        AND (backend_xmin::text::bigint <= %(number)s OR backend_xid::text::bigint <= %(number)s)
"""


def erase(database: Database, names: Sequence[str | UUID]) -> Erasure:
    """Erase persons, all of them or none, and everything that the server's files hold of them.

    Without names nobody is erased, and the files are cleaned all the same.

    A deleted row stays in the file of its table until the table is rewritten, and in the write-ahead log until its
    segment is deleted. So the tables are rewritten (VACUUM FULL) and a new segment is begun; searches wait.

    Raises:
        GalleryError: nobody has one of the names; or the rows are deleted but the files could not be cleaned.
    """

    def delete(connection: Connection[Any]) -> tuple[int, int]:
        total = 0
        for person in {lock_person(connection, name) for name in sorted(set(names), key=str)}:
            delete_faces_of(connection, person)
            samples = delete_person(connection, person)
            record_event(connection, "erase", person, samples)
            total += samples
        return total, transaction_number(connection)

    samples, transaction = database.run(delete)
    try:
        return Erasure(samples, clean_files(database, transaction))
    except GalleryError as error:
        raise GalleryError(
            f"the persons are erased from the tables, but the server's files may still hold their data: {error}"
        ) from error


def clean_files(database: Database, transaction: int) -> bool:
    """Rewrite the tables without deleted rows, then drop the old write-ahead log.

    Args:
        database: of the gallery.
        transaction: this one and those before it must have ended, since they may see the deleted rows.

    Returns:
        Whether the server deletes old log segments; with `wal_recycle = on` it keeps some, to overwrite them later.

    Raises:
        GalleryError: an older transaction does not end, or the server refuses.
    """
    end = time.monotonic() + _PATIENCE
    while database.run(lambda connection: connection.execute(_OLDER, {"number": transaction}).fetchone()) != (0,):
        if time.monotonic() > end:
            cure = "close it and call erase() again, without names"
            raise GalleryError(f"{database.name}: another connection can still see the deleted rows; {cure}")
        time.sleep(0.05)
    # the second checkpoint moves past the first, and so past every segment before the switch
    database.run_outside_transaction(
        *(f"VACUUM FULL {table}" for table in _TABLES),
        *("CHECKPOINT", "SELECT pg_switch_wal()", "CHECKPOINT"),
    )
    return database.run(lambda connection: connection.execute("SHOW wal_recycle").fetchone()) == ("off",)


def transaction_number(connection: Connection[Any]) -> int:
    """The number of the transaction that is open on a connection."""
    row = connection.execute("SELECT pg_current_xact_id()::text::bigint & 4294967295").fetchone()
    assert row is not None
    number: int = row[0]
    return number
