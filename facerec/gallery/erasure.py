"""Erase a person: from the tables, from what the tables' files still hold, and from the log of changes."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from facerec.errors import GalleryError
from facerec.gallery.database import Database
from facerec.gallery.enrolment import lock_person, record, remove
from facerec.gallery.records import Erased

_PATIENCE = 60.0  # seconds for searches that began before to end
_OLDER = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
        AND (backend_xmin::text::bigint <= %(number)s OR backend_xid::text::bigint <= %(number)s)
"""


def erase(database: Database, names: Sequence[str | UUID]) -> Erased:
    """Erase persons and everything the server's files hold of them; all of them or none.

    Without names nobody is erased, and the files are cleaned all the same.

    Deleted rows stay in a table's file until it is written anew, and in the log of changes until that is
    deleted, so both are done: VACUUM FULL, a new log segment, a checkpoint. Searches wait meanwhile.

    Raises:
        GalleryError: nobody has one of the names; or the rows are gone but the files could not be cleaned.
    """

    def work(connection: Connection[Any]) -> tuple[int, int]:
        gone = 0
        for person in {lock_person(connection, name) for name in sorted(set(names), key=str)}:
            samples = remove(connection, person)
            record(connection, "erase", person, samples)
            gone += samples
        number = connection.execute("SELECT pg_current_xact_id()::text::bigint & 4294967295").fetchone()
        assert number is not None
        return gone, number[0]

    samples, number = database.run(work)
    try:
        return Erased(samples, scrub(database, number))
    except GalleryError as error:
        raise GalleryError(
            f"the persons are erased from the tables, but their data may still be in the server's files: {error}"
        ) from error


def scrub(database: Database, number: int) -> bool:
    """Write the tables anew without dead rows, then let go of the log of changes.

    Args:
        database: of the gallery.
        number: transactions up to this one must not see the dead rows any more.

    Returns:
        Whether used logs are deleted; a server with `wal_recycle = on` keeps some to write over later.

    Raises:
        GalleryError: a transaction that began before does not end, or the server refuses.
    """
    end = time.monotonic() + _PATIENCE
    while database.run(lambda connection: connection.execute(_OLDER, {"number": number}).fetchone()) != (0,):
        if time.monotonic() > end:
            cure = "end it and call erase() again, without names"
            raise GalleryError(f"{database.name}: another connection still sees the old rows; {cure}")
        time.sleep(0.05)
    database.alone("VACUUM FULL sample", "VACUUM FULL centroid", "VACUUM FULL person")
    # the second checkpoint makes the first one's beginning old, and with it every segment before the switch
    database.alone("CHECKPOINT", "SELECT pg_switch_wal()", "CHECKPOINT")
    return database.run(lambda connection: connection.execute("SHOW wal_recycle").fetchone()) == ("off",)
