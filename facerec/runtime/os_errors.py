"""Errors of the operating system in one line: where, what is wrong, and the cure."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_FULL = "the disk is full; free space there"
_REFUSED = "this user may not do that there; choose another place or change its permissions"
_WRONG = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: "this user's share of the disk is full; free space there",
    errno.EFBIG: "the file would be larger than this system allows (ulimit -f)",
    errno.EACCES: _REFUSED,
    errno.EPERM: _REFUSED,
    errno.EROFS: "the disk is read-only; choose another place",
    errno.ENOENT: "there is no such file or folder",
    errno.EEXIST: "a file lies where a folder is wanted; choose another place or move it",
    errno.ENOTDIR: "a file lies where a folder is wanted; choose another place or move it",
    errno.EISDIR: "a folder lies where a file is wanted; choose another place or move it",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.EIO: "the disk does not answer as it should; check it",
}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in the errors of its writes, which know only its number."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def describe(error: OSError, places: Mapping[str, str]) -> str:
    """The error in one line.

    Args:
        error: of a call to the operating system.
        places: configuration key → path; the one that leads to the error's file is named.
    """
    wrong = _WRONG.get(error.errno or 0) or error.strerror or str(error)
    if not error.filename:
        return wrong
    path = Path(str(error.filename)).absolute()
    leading = {
        key: Path(place).expanduser().absolute()
        for key, place in places.items()
        if path.is_relative_to(Path(place).expanduser().absolute())
    }
    key = max(leading, key=lambda key: len(leading[key].parts), default=None)
    return f"{error.filename}: {wrong}" + (f" ({key})" if key else "")
