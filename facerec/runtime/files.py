"""Files and folders that are there whole or not at all, whenever the process or the machine stops."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from facerec.runtime.os_errors import naming


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file `path`, see `replacing`.

    Raises:
        OSError: the disk refuses; what was at `path` is still there.
    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file to write to, which takes the place of the file `path` once the block ends without an error.

    It is written beside it, as `.FILE.XXXXXXXX.new`, and moved there: the folder may be a disk of its own.

    Raises:
        OSError: the disk refuses; what was at `path` is still there.
    """
    half = path.with_name(f".{path.name[:200]}.{uuid4().hex[:8]}.new")
    try:
        with naming(half), half.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def replace_json(path: Path, value: Any, *, allow_nan: bool = True) -> None:
    """Put `value` as JSON in the place of the file `path`, see `replace_file`.

    Raises:
        OSError: as `replace_file`.
        TypeError: `value` holds something that JSON has no form for.
        ValueError: it holds NaN or an infinity, and `allow_nan` is false.
    """
    replace_file(path, (json.dumps(value, indent=1, allow_nan=allow_nan) + "\n").encode())


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder of these files in the place of `folder`; parents are made, and so are folders in it (`a/b`).

    It is written beside `folder` and moved there; what was at `folder` is put aside for that moment, as
    `.FOLDER.XXXXXXXX.old`, and then deleted.

    Raises:
        OSError: the disk refuses; what was at `folder` is still there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    new, old = (folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.{state}") for state in ("new", "old"))
    try:
        new.mkdir()
        for name, content in files.items():
            if not (new / name).parent.is_dir():
                (new / name).parent.mkdir()
            _write(new / name, content)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with naming(path), path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
