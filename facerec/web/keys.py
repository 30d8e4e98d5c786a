"""API keys, of which only hashes are stored: `python -m facerec.web.keys FILE NAME read|admin` makes one."""

import argparse
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from facerec.errors import ConfigError

ROLES = ("read", "admin")


class Key(NamedTuple):
    """Who may come in.

    Attributes:
        name: which the audit shows.
        role: read: look and identify; admin: change the gallery too.
        digest: SHA-256 of the key, which is random and long, so that no slow hash is needed.
    """

    name: str
    role: str
    digest: bytes


def read_keys(file: Path) -> list[Key]:
    """The keys of a file with lines `NAME ROLE SHA256`.

    Raises:
        ConfigError: the file is missing, empty or damaged.
    """
    try:
        lines = [line.split() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        keys = [Key(name, role, bytes.fromhex(digest)) for name, role, digest in lines]
    except (OSError, ValueError) as error:
        raise ConfigError(f"key_file: {file} can't be read ({error}); {_CURE}") from error
    if not keys or not all(key.role in ROLES and len(key.digest) == 32 for key in keys):
        raise ConfigError(f"key_file: {file} must have lines of NAME, read or admin, and a SHA-256; {_CURE}")
    return keys


def find_key(keys: Sequence[Key], given: str) -> Key | None:
    """The key that was given, compared with all of them in the same time."""
    digest = hashlib.sha256(given.encode("utf-8", "replace")).digest()
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def add_key(file: Path, name: str, role: str) -> str:
    """Make a key, add its hash to the file, and return it; it can't be shown again."""
    if not name.isprintable() or len(name.split()) != 1:
        raise ConfigError(f"a key's name must be one word, not {name!r}")
    key = secrets.token_urlsafe(32)
    line = f"{name} {role} {hashlib.sha256(key.encode()).hexdigest()}\n"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as out:
        out.write(line)
    return key


_CURE = "make a key with `python -m facerec.web.keys FILE NAME admin`"

if __name__ == "__main__":
    parser = argparse.ArgumentParser("facerec.web.keys", description="Make an API key; it is shown once.")
    parser.add_argument("file", type=Path)
    parser.add_argument("name")
    parser.add_argument("role", choices=ROLES)
    given = parser.parse_args()
    print(add_key(given.file, given.name, given.role))
