"""Fingerprints of data: of its content alone, so that moved and copied data stays the same data."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from facerec.crops.contract import CropContract
from facerec.data.images import FaceImages
from facerec.errors import DataError
from facerec.runtime.files import replace_file


def data_fingerprint(images: FaceImages, cache: Path) -> str:
    """16 hex digits over all of a data set that decides a result: crops, identities, splits.

    Raises:
        DataError: as `crops_fingerprint`.
    """
    digest = hashlib.sha256(os.fsencode(f"{crops_fingerprint(images, cache)} {images.name}\n"))
    for identity, split in zip(images.identities.tolist(), images.splits.tolist(), strict=True):
        digest.update(os.fsencode(f"{split} {identity}\n"))
    return digest.hexdigest()[:16]


def crops_fingerprint(images: FaceImages, cache: Path) -> str:
    """16 hex digits over what decides the crops: files (name, content), landmarks, crop contract.

    Of packed images, the files that they lie in, and which images of them in which order.

    Args:
        images: the data set.
        cache: where digests are remembered; made if missing.

    Raises:
        DataError: files are missing, all of them counted and the first ones named, or can't be read.
    """
    files = images.packed.containers if images.packed else images.files
    if missing := [file for file in files if not file.is_file()]:
        raise DataError(f"dataset {images.name}: {listed(missing, 'files are missing')}")
    content = files_fingerprint(files, cache)
    if images.packed:
        content += images.packed.key
    return _digest(images, content.encode())


def files_fingerprint(files: Sequence[Path], cache: Path) -> str:
    """16 hex digits over the names (`FOLDER/FILE`) and contents of the files, in order.

    They are read once: `cache` remembers the digest of files with these paths, sizes and times.

    Raises:
        DataError: a file can't be read, or `cache` can't be written.
    """
    try:
        stats = [(file.absolute(), *_times(file)) for file in files]
        known = cache / f"files-{_hash(repr(entry).encode() for entry in stats)}.txt"
        if known.exists() and len(digest := known.read_text()) == 16:
            return digest
        with ThreadPoolExecutor() as pool:
            read = tqdm(pool.map(_content, files), "read files", len(files), leave=False, delay=2, unit="file")
            digest = _hash(b"%s %s\n" % (_name(file), content) for file, content in zip(files, read, strict=True))
    except OSError as error:
        raise DataError(f"{error.filename} can't be read ({error.strerror})") from error
    try:
        cache.mkdir(parents=True, exist_ok=True)
        replace_file(known, digest.encode())
    except OSError as error:
        cure = "free space there or choose another folder"
        raise DataError(f"data.cache_dir: {cache} can't be written ({error.strerror}); {cure}") from error
    return digest


def list_fingerprint(file: Path) -> str:
    """Name of a list file and 16 hex digits over its content.

    Raises:
        DataError: it can't be read.
    """
    try:
        return f"{file.name} {_content(file)[:16].decode()}"
    except OSError as error:
        raise DataError(f"{file} can't be read ({error.strerror})") from error


def dated_fingerprint(images: FaceImages) -> str:
    """The fingerprint that older versions stored: it holds the times of the files instead of their contents."""
    stats = [(_name(file), *_times(file)) for file in images.files]
    return _digest(images, b"".join(b"%s %d %d\n" % (name, size, written) for name, size, written, _ in stats))


def listed(entries: Sequence[Any], problem: str) -> str:
    """The number of entries, and the first ten of them, one per line."""
    shown = "".join(f"\n  {entry}" for entry in entries[:10])
    return f"{len(entries)} {problem}:{shown}" + ("\n  …" if len(entries) > 10 else "")


def _digest(images: FaceImages, files: bytes) -> str:
    digest = hashlib.sha256(json.dumps(asdict(CropContract())).encode())
    digest.update(files)
    if images.landmarks is not None:
        digest.update(images.landmarks.tobytes())
    return digest.hexdigest()[:16]


def _hash(entries: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(entry)
    return digest.hexdigest()[:16]


def _times(file: Path) -> tuple[int, int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _name(file: Path) -> bytes:
    return os.fsencode(f"{file.parent.name}/{file.name}")


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest().encode()
