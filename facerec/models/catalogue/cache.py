"""Where weights lie in the user's cache, and whether they are there."""

import hashlib
from pathlib import Path

from facerec.models.catalogue.entry import Entry
from facerec.runtime.folders import cache_folder


def weights_file(entry: Entry) -> Path:
    """Where the weights lie in the cache, or will."""
    return cache_folder() / "models" / f"{entry.name}{'.pkl' if entry.pickled else '.onnx'}"


def converted_file(entry: Entry) -> Path:
    """Where ONNX made of pickled weights lies, or will; the name says which weights they were."""
    return weights_file(entry).with_name(f"{entry.name}.{entry.sha256[:8]}.onnx")


def is_whole(file: Path, entry: Entry) -> bool:
    """Whether `file` is there and holds the weights; 40 MB take some 30 ms, so it is asked at each opening."""
    return file.is_file() and sha256_of(file) == entry.sha256


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
