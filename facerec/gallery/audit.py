"""In whose name the gallery is changed, for its audit."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ACTOR: ContextVar[str] = ContextVar("actor", default="")


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Changes made inside are written down under this name instead of the process's user."""
    before = _ACTOR.set(name)
    try:
        yield
    finally:
        _ACTOR.reset(before)


def actor() -> str:
    """The name given by `acting_as`, or else USER@HOST of the process."""
    return _ACTOR.get() or _process()


def _process() -> str:
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user number may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
