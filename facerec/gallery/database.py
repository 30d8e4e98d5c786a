"""A connection that outlives its server, and errors that say what to do."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import DeadlockDetected, DiskFull, InsufficientPrivilege, ReadOnlySqlTransaction

from facerec.errors import GalleryError
from facerec.gallery.names import printable

T = TypeVar("T")
_PATIENCE = 30.0  # seconds that a server may be away
MAKING_LOCK = 0x6661636572656300  # any number that other users of the database don't lock


class Database:
    """One connection to the server at `url`, opened anew when it breaks; for any number of threads.

    Args:
        url: of the server.
        name: what messages call it.
        revive: brings the server back where it is ours to start.
        make: what a gallery needs of the database, where it is missing.

    Raises:
        GalleryError: there is no such server, it does not let us in, or it holds no gallery and `make` is false.
    """

    def __init__(
        self, url: str, name: str, revive: Callable[[], None] | None = None, *, make: bool = False
    ) -> None:
        self.name = name
        self._url, self._revive, self._make = url, revive, make
        self._lock = threading.RLock()
        try:
            self._connection = self._connect()
        except psycopg.Error as error:
            raise self._explained(error) from error

    def run(self, work: Callable[[Connection[Any]], T]) -> T:
        """Do `work` in one transaction, again from the start if the server goes away meanwhile.

        So `work` must do no harm when done twice: the first time may have been committed unheard.

        Raises:
            GalleryError: the server stays away, its disk is full, or it refuses; nothing was changed then,
                except that a server which stays away may have committed just before.
        """
        with self._lock:
            end = time.monotonic() + _PATIENCE
            while True:
                try:
                    if self._connection.closed:
                        self._connection = self._connect()
                    with self._connection.transaction():
                        return work(self._connection)
                except DeadlockDetected:
                    continue
                except psycopg.Error as error:
                    if not self._is_away(error) or time.monotonic() > end:
                        raise self._explained(error) from error
                except UnicodeEncodeError as error:  # half a surrogate pair, or a byte of a command line
                    raise GalleryError(f"{self.name}: {printable(error.object)} is not text in UTF-8") from error
                if self._revive:
                    self._revive()
                time.sleep(0.1)

    def alone(self, *statements: str) -> None:
        """Statements that PostgreSQL does not allow in a transaction, such as VACUUM.

        Raises:
            GalleryError: the server refuses or is away.
        """
        with self._lock:
            try:
                for statement in statements:
                    self._connection.execute(statement.encode())
            except psycopg.Error as error:
                raise self._explained(error) from error

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _connect(self) -> Connection[Any]:
        from pgvector.psycopg import register_vector

        connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
        connection.execute("SET jit = off")  # compiling a search takes longer than the search
        found = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone()
        if not found:
            if not self._make:
                connection.close()
                raise no_gallery(self.name)
            with connection.transaction():  # IF NOT EXISTS alone fails where two do it at once
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [MAKING_LOCK])
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
        return connection

    def _is_away(self, error: psycopg.Error) -> bool:
        return isinstance(error, psycopg.OperationalError) and (
            self._connection.closed or self._connection.broken or error.sqlstate is None
        )

    def _explained(self, error: psycopg.Error) -> GalleryError:
        said = str(error).strip()
        match error:
            case DiskFull():
                said = f"its disk is full ({said}); nothing was changed: free space and try again"
            case ReadOnlySqlTransaction():
                said = "is a replica, which can only be read; give it as read_url, and its primary as url"
            case InsufficientPrivilege():
                said = f"{said}; ask the owner of the database for it (docs/gallery.md says what is needed)"
            case psycopg.OperationalError() if error.sqlstate is None:
                said = f"the server can't be reached ({said}); start it, or check gallery.url and its password"
        return GalleryError(f"{self.name}: {said}")


def no_gallery(place: str) -> GalleryError:
    """What to say where there is none."""
    cure = "with this gallery.url, `python -m facerec.enroll photos=ALBUM model=MODEL` makes one"
    return GalleryError(f"{place}: there is no gallery; check gallery.url, or enrol somebody: {cure}")


def without_password(url: str) -> str:
    """The URL for people to read.

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
