"""Weights of ready-made models in the user's cache: fetched, or put there by hand."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facerec.errors import ModelError
from facerec.models.catalogue.cache import is_whole, sha256_of, weights_file
from facerec.models.catalogue.entry import Entry
from facerec.runtime.files import replace_file
from facerec.runtime.os_errors import describe

log = logging.getLogger(__name__)


def fetch(entry: Entry, *, offline: bool = False, accept_licence: bool = False) -> Path:
    """The file of weights in the cache; it is fetched if it is not there. Of several processes one fetches.

    Args:
        entry: of the model.
        offline: reach for no network; FACEREC_OFFLINE=1 in the environment says the same.
        accept_licence: a licence that forbids commercial use is accepted.

    Raises:
        ModelError: it is not there and the licence is not accepted, `offline` is set, or no source gives it; the
            message says why of each, and where to put the file by hand. Or the disk refuses.
    """
    file = weights_file(entry)
    if is_whole(file, entry):
        return file
    if file.exists():
        log.warning("%s: is not %s, whose SHA-256 is %s", file, entry.name, entry.sha256)
    check_licence(entry, accept_licence)
    by_hand = f"`facerec models get {entry.name} file=FILE` takes it from you (SHA-256 {entry.sha256})"
    if offline or os.environ.get("FACEREC_OFFLINE", "") not in ("", "0"):
        raise ModelError(f"{entry.name}: its weights are not at {file}, and it is offline; {by_hand}")
    from filelock import FileLock  # only now: fetched models are opened without it, and without HTTP

    from facerec.models.catalogue.sources import get_weights

    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{entry.name}.lock")):
            if not is_whole(file, entry):  # else another process has fetched it meanwhile
                try:
                    get_weights(entry, file)
                except ModelError as error:
                    raise ModelError(f"{error}\n{by_hand}") from error
    return file


def take(entry: Entry, given: Path, *, accept_licence: bool = False) -> Path:
    """Put a file that the user has into the cache.

    Raises:
        ModelError: it is not there, is not the weights, the licence is not accepted, or the disk refuses.
    """
    check_licence(entry, accept_licence)
    if not given.is_file():
        raise ModelError(f"file: there is no file {given}")
    if (digest := sha256_of(given)) != entry.sha256:
        raise ModelError(f"{given}: is not {entry.name}: its SHA-256 is {digest}, and should be {entry.sha256}")
    file = weights_file(entry)
    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, given.read_bytes())
    return file


def check_licence(entry: Entry, accepted: bool) -> None:
    """Raise a ModelError if the licence forbids commercial use and is not accepted."""
    if entry.non_commercial and not accepted:
        raise ModelError(
            f"{entry.name}: NOT FOR COMMERCIAL USE. The licence of its weights is: {entry.licence} "
            f"({entry.licence_url}). If you may use it so, give accept_licence=true"
        )


@contextmanager
def disk_errors(file: Path) -> Iterator[None]:
    """What the disk refuses as a ModelError that says how to choose another place."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"{describe(error, {})}; FACEREC_CACHE names another place for {file.name}") from error
