"""The PostgreSQL server of a gallery folder: started by the first process, stopped by the last."""

import hashlib
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from facerec.errors import GalleryError
from facerec.gallery import postgres
from facerec.runtime.clutter import is_clutter

if sys.platform != "win32":  # there a gallery is at a URL, and this module is imported all the same
    import fcntl
    import pwd

_SETTINGS = {
    "listen_addresses": "",               # a socket in the folder, and no port
    "unix_socket_permissions": "0700",    # whose reader is the owner of the folder
    "wal_recycle": "off",                 # a used log of changes is deleted, not kept for reuse: see erase
    "log_error_verbosity": "terse",       # names of persons stay out of the server's log
    "log_min_error_statement": "panic",
}  # fmt: skip
_PATIENCE = 300.0  # seconds for a server to recover what a crash left behind
_STRAGGLERS = 10.0  # seconds for processes of a killed server to notice
_SOCKET, _HALF = ".s.PGSQL.5432", "postgres.new-"
_OURS = {"postgres", "users", "starting", "server.log", _SOCKET, f"{_SOCKET}.lock"}
_DYING = ("shared memory block", "postmaster.pid", f"{_SOCKET}.lock")  # what a start says till then
_LONGEST_SOCKET = 100  # the system's limit is 107 bytes, 103 on macOS


class Server:
    """A running server on `folder`, which is made if it is not there.

    Every process that uses the folder holds a shared lock on its file `users`; the system drops the lock of a
    process that is killed. So a server left over by one is simply found running by the next, and whoever
    leaves last stops it.

    Raises:
        GalleryError: the folder holds something else, belongs to somebody else, is of another PostgreSQL version,
            or the server does not start; or the system is Windows.
    """

    def __init__(self, folder: Path) -> None:
        if sys.platform == "win32":
            raise GalleryError(f"{folder}: on Windows a gallery needs a server; gallery.url=postgresql://…")
        self.folder = folder.resolve()
        self._data = self.folder / "postgres"
        self._check_folder()
        self._users = (self.folder / "users").open("w")
        fcntl.flock(self._users, fcntl.LOCK_SH)  # waits while the last user stops the server
        try:
            self.ensure_running()
        except BaseException:
            self._users.close()
            raise

    @property
    def url(self) -> str:
        """Where it listens."""
        return make_conninfo(host=str(self._socket_folder()), user="postgres", dbname="postgres")

    def ensure_running(self) -> None:
        """Start the server unless it runs; a crash before is recovered from by PostgreSQL itself."""
        with _exclusive(self.folder / "starting"):
            if not self._data.exists():
                self._create()
            sockets = self._own_socket_folder()
            if self._answers():
                return
            settings = shlex.join(["-k", str(sockets), *(f"--{key}={value}" for key, value in _SETTINGS.items())])
            end = time.monotonic() + _STRAGGLERS
            while said := self._start(settings):
                if not any(sign in said for sign in _DYING) or time.monotonic() > end:
                    raise GalleryError(
                        f"{self.folder}: the server did not start; server.log there ends with\n{said}"
                    )
                time.sleep(0.1)

    def release(self) -> None:
        """Stop the server unless another process uses it."""
        if self._users.closed:
            return
        with suppress(BlockingIOError):
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._answers():
                postgres.run("pg_ctl", "stop", "-w", "-m", "fast", "-D", self._data, cwd=self.folder)
            if self._socket_folder() != self.folder:
                shutil.rmtree(self._socket_folder(), ignore_errors=True)
        self._users.close()

    def _check_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_owner()
        version = self._data / "PG_VERSION"
        if version.exists() and (found := version.read_text().strip()) != str(postgres.VERSION):
            raise GalleryError(
                f"{self.folder}: was written by PostgreSQL {found}, and this facerec has {postgres.VERSION}; "
                "export it with the facerec that wrote it and import that here"
            )
        names = {entry.name for entry in self.folder.iterdir() if not entry.name.startswith(_HALF)} - _OURS
        others = sorted(name for name in names if not is_clutter(name))
        if others and not version.exists():  # what is put into a gallery later does it no harm
            raise GalleryError(f"{self.folder}: is no gallery, it holds {others[0]}; choose another folder")
        postgres.hand_over(self.folder)

    def _check_owner(self) -> None:
        """PostgreSQL starts for the owner of its files alone, and a copy belongs to whoever copied."""
        if not self._data.exists():
            return
        user = postgres.identity().get("user", os.geteuid())
        if (owner := self._data.stat().st_uid) != user:
            there, ours = _user_name(owner), _user_name(user)
            cure = f"`{'sudo ' * (os.geteuid() != 0)}chown -R {ours} {shlex.quote(str(self.folder))}`"
            cure = f"run it as {there}, or {cure}" if owner else cure
            raise GalleryError(f"{self.folder}: its files are {there}'s, and the server runs as {ours}; {cure}")

    def _create(self) -> None:
        """Whole or not at all, whenever we are killed; an initdb of a killed process may still be at work."""
        for half in self.folder.glob(f"{_HALF}*"):
            shutil.rmtree(half, ignore_errors=True)
        half = Path(tempfile.mkdtemp(prefix=_HALF, dir=self.folder))
        postgres.hand_over(half)
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres")
        postgres.run("initdb", *options, "-D", half, cwd=self.folder)
        half.rename(self._data)

    def _start(self, settings: str) -> str:
        """Nothing, or the end of the server's log if it did not start."""
        self._remove_stale_locks()
        log = self.folder / "server.log"
        log.unlink(missing_ok=True)
        options: list[str | Path] = ["-w", "-t", str(int(_PATIENCE)), "-D", self._data, "-l", log, "-o", settings]
        try:
            postgres.run("pg_ctl", "start", *options, cwd=self.folder)
        except GalleryError as error:
            said = log.read_text(errors="replace") if log.exists() else str(error)
            return "\n".join(said.splitlines()[-5:]) or str(error)
        return ""

    def _answers(self) -> bool:
        """Whether a server is up, once one that is just starting or stopping is through with it."""
        end = time.monotonic() + _PATIENCE
        while (ping := PGconn.ping(self.url.encode())) == Ping.REJECT and time.monotonic() < end:
            time.sleep(0.05)
        return ping == Ping.OK

    def _remove_stale_locks(self) -> None:
        """The old server's number may be another process's by now, or that of a dead one nobody buries."""
        for file in (self._data / "postmaster.pid", self._socket_folder() / f"{_SOCKET}.lock"):
            if file.exists():
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(int(file.read_text().split()[0]))
                    if "postgres" in process.name() and process.status() != psutil.STATUS_ZOMBIE:
                        continue
                file.unlink()

    def _own_socket_folder(self) -> Path:
        """The same, made if need be; another user's must not listen in our place."""
        sockets = self._socket_folder()
        if sockets != self.folder:
            sockets.mkdir(mode=0o700, exist_ok=True)
            if sockets.stat().st_uid not in (os.geteuid(), postgres.identity().get("user")):
                raise GalleryError(f"{sockets}: belongs to somebody else; remove it, or choose a shorter path")
            postgres.hand_over(sockets)
        return sockets

    def _socket_folder(self) -> Path:
        if len(str(self.folder / _SOCKET).encode()) <= _LONGEST_SOCKET:
            return self.folder
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"facerec-{name}"


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # of another machine, or of a container's host
        return str(number)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_made(folder: Path) -> bool:
    """Whether a server was made in the folder; changes nothing there."""
    return (folder / "postgres").exists()
