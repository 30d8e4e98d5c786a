"""Connections that survive a restart of the server, and errors that say what to do."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import DeadlockDetected, DiskFull, InsufficientPrivilege, ReadOnlySqlTransaction

from facerec.errors import GalleryError
from facerec.gallery.names import printable

T = TypeVar("T")
_PATIENCE = 30.0  # seconds that a server may be away
_MAX_CONNECTIONS = 4  # of one process; the others wait
MAKING_LOCK = 0x6661636572656300  # any number that no other user of the database locks


class Database:
    """Connections to the server at `url`, replaced when they break; safe for any number of threads.

    Args:
        url: of the server.
        name: shown in messages.
        revive: restarts the server if this process may do so.
        make: create the pgvector extension if it is missing.

    Raises:
        GalleryError: the server can't be reached, refuses the login, or holds no gallery while `make` is false.
    """

    def __init__(
        self, url: str, name: str, revive: Callable[[], None] | None = None, *, make: bool = False
    ) -> None:
        self.name = name
        self._url, self._revive, self._make = url, revive, make
        self._permits = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._idle: list[Connection[Any]] = []
        self._closed = False
        try:
            self._idle.append(self._connect())
        except psycopg.Error as error:
            raise self._explained(error) from error

    @property
    def url(self) -> str:
        """Of the server, with its password."""
        return self._url

    def run(self, work: Callable[[Connection[Any]], T]) -> T:
        """Run `work` in one transaction, and run it again from the start if the server goes away meanwhile.

        Running `work` twice must do no harm: the first run may have been committed without our hearing of it.

        Raises:
            GalleryError: the server stays away, its disk is full, or it refuses. Nothing was changed then, except
                that a server which stays away may have committed just before.
        """
        end = time.monotonic() + _PATIENCE
        while True:
            connection: Connection[Any] | None = None
            try:
                with self._borrowed() as connection, connection.transaction():
                    return work(connection)
            except DeadlockDetected:
                continue
            except psycopg.Error as error:
                is_away = isinstance(error, psycopg.OperationalError) and (connection is None or connection.closed)
                if not is_away or time.monotonic() > end:
                    raise self._explained(error) from error
            except UnicodeEncodeError as error:  # half a surrogate pair, or a byte of a command line
                raise GalleryError(f"{self.name}: {printable(error.object)} is not valid UTF-8") from error
            if self._revive:
                self._revive()
            time.sleep(0.1)

    def run_outside_transaction(self, *statements: str) -> None:
        """Run statements that PostgreSQL refuses inside a transaction, such as VACUUM.

        Raises:
            GalleryError: the server refuses or is away.
        """
        try:
            with self._borrowed() as connection:
                for statement in statements:
                    connection.execute(statement.encode())
        except psycopg.Error as error:
            raise self._explained(error) from error

    def close(self) -> None:
        """Close the connections; one that is in use is closed when its work is done."""
        self._closed = True
        self._close_idle()

    @contextmanager
    def _borrowed(self) -> Iterator[Connection[Any]]:
        """An idle connection or a new one."""
        with self._permits:
            if self._closed:
                raise GalleryError(f"{self.name}: this gallery was closed; open it again")
            try:
                connection = self._idle.pop()  # pop and append are atomic
            except IndexError:
                connection = self._connect()
            try:
                yield connection
            finally:
                self._idle.append(connection)
                if connection.closed or self._closed:  # the others lead to the same dead server
                    self._close_idle()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _connect(self) -> Connection[Any]:
        from pgvector.psycopg import register_vector

        connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
        connection.execute("SET jit = off")  # compiling a search takes longer than the search
        if not connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone():
            if not self._make:
                connection.close()
                raise no_gallery(self.name)
            with connection.transaction():  # IF NOT EXISTS alone fails when two processes do it at once
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [MAKING_LOCK])
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
        return connection

    def _explained(self, error: psycopg.Error) -> GalleryError:
        message = str(error).strip()
        match error:
            case DiskFull():
                message = f"the disk is full ({message}); nothing was changed: free some space and try again"
            case ReadOnlySqlTransaction():
                message = "is a read-only replica; give it as gallery.read_url, and its primary as gallery.url"
            case InsufficientPrivilege():
                message = f"{message}; ask the owner of the database to grant it (see docs/gallery.md)"
            case psycopg.OperationalError() if error.sqlstate is None:
                message = f"the server can't be reached ({message}); start it, or check the URL and its password"
        return GalleryError(f"{self.name}: {message}")


def no_gallery(place: str) -> GalleryError:
    """The error for a place without a gallery."""
    cure = "`python -m facerec.enroll photos=ALBUM model=MODEL gallery.url=…`"
    return GalleryError(f"{place}: there is no gallery; check gallery.url, or make one with {cure}")


def without_password(url: str) -> str:
    """The URL without its password, to show.

    Raises:
        GalleryError: it is not a PostgreSQL URL.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise GalleryError(
            f"gallery.url: {str(error).strip()}; write postgresql://USER@HOST:PORT/DATABASE"
        ) from error
    parts.pop("password", None)
    return make_conninfo(**parts)  # type: ignore[arg-type]
