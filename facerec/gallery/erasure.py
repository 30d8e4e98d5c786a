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
from facerec.gallery.people import delete_person, lock_persons
from facerec.gallery.records import Erasure
from facerec.gallery.undo import delete_expired, forget

_PATIENCE = 60.0  # seconds to wait for older transactions
_TABLES = (  # what is personal
    *("sample", "centroid", "person", "denial", "change_sample", "change_person", "change"),
    *("indexed_face", "indexed_photo"),
)
_OLDER = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
        AND (backend_xmin::text::bigint <= %(number)s OR backend_xid::text::bigint <= %(number)s)
"""


_EXPIRED = """
    SELECT EXISTS (SELECT FROM change WHERE expires <= now())
        AND NOT pg_is_in_recovery() AND pg_has_role(relowner, 'USAGE')
    FROM pg_class WHERE oid = 'change'::regclass
"""
_SHOWING = """
    SELECT crop FROM sample WHERE person_id = %(person)s
    UNION SELECT held.crop
    FROM (SELECT crop, vector FROM denial UNION ALL SELECT crop, vector FROM change_sample) AS held
    JOIN sample ON sample.person_id = %(person)s AND -(sample.vector <#> held.vector) >= %(alike)s
"""


def erase(database: Database, names: Sequence[str | UUID], alike: float | None) -> Erasure:
    """Erase persons, all of them or none, and everything that the server's files hold of them.

    That includes what undo holds of them, and faces like theirs that are denied of others. Without names nobody is
    erased, and the files are cleaned all the same.

    A deleted row stays in the file of its table until the table is rewritten, and in the write-ahead log until its
    segment is deleted. So the tables are rewritten (VACUUM FULL) and a new segment is begun; searches wait.

    Args:
        database: of the gallery.
        names: of the persons, or their ids.
        alike: similarity from which two faces count as one person's; None: only equal crops do.

    Raises:
        GalleryError: nobody has one of the names; or the rows are deleted but the files could not be cleaned.
    """

    def delete(connection: Connection[Any]) -> tuple[int, int]:
        total = 0
        for person in dict.fromkeys(lock_persons(connection, list(names))):
            crops = _crops_showing(connection, person, alike)
            forget(connection, person, crops)
            connection.execute("DELETE FROM denial WHERE crop = ANY(%s)", [crops])
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


def wipe_expired(database: Database) -> bool:
    """Wipe what undo holds and can't be undone any more, as `erase` does; returns whether there was any.

    Left to others by a user who does not own the tables.

    Raises:
        GalleryError: the rows are deleted but the files could not be cleaned.
    """
    if database.run(lambda connection: connection.execute(_EXPIRED).fetchone()) != (True,):
        return False
    deleted, transaction = database.run(
        lambda connection: (delete_expired(connection), transaction_number(connection))
    )
    if deleted:
        clean_files(database, transaction)
    return deleted


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


def _crops_showing(connection: Connection[Any], person: UUID, alike: float | None) -> list[bytes]:
    """The crops of a person's samples, and those that undo and the denials of others hold of faces like theirs."""
    parameters = {"person": person, "alike": 2.0 if alike is None else alike}  # no similarity is above 1
    return [row[0] for row in connection.execute(_SHOWING, parameters)]


def transaction_number(connection: Connection[Any]) -> int:
    """The number of the transaction that is open on a connection."""
    row = connection.execute("SELECT pg_current_xact_id()::text::bigint & 4294967295").fetchone()
    assert row is not None
    number: int = row[0]
    return number
