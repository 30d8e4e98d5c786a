"""Make an API key for the page: `facerec keys FILE NAME read|admin [GALLERY …]`; its hash alone is stored."""

import argparse
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from facerec.errors import ConfigError

ROLES = ("read", "admin")


class Key(NamedTuple):
    """An API key.

    Attributes:
        name: shown in the audit.
        role: read: identify and list people; admin: change the gallery too.
        digest: SHA-256 of the key; keys are long and random, so no slow hash is needed.
        galleries: names of those it opens; none: all.
    """

    name: str
    role: str
    digest: bytes
    galleries: tuple[str, ...] = ()


def read_keys(file: Path) -> list[Key]:
    """Read the keys from a file with lines `NAME ROLE SHA256 GALLERY …`.

    Raises:
        ConfigError: the file is missing, empty or damaged.
    """
    try:
        lines = [line.split() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        keys = [Key(name, role, bytes.fromhex(digest), tuple(opens)) for name, role, digest, *opens in lines]
    except (OSError, ValueError) as error:
        raise ConfigError(f"key_file: {file} can't be read ({error}); {_CURE}") from error
    if not keys or not all(key.role in ROLES and len(key.digest) == 32 for key in keys):
        raise ConfigError(
            f"key_file: each line of {file} must be NAME, read or admin, a SHA-256, and perhaps galleries; {_CURE}"
        )
    return keys


def check_gallery_name(name: str) -> None:
    """Raise a ConfigError unless the name can stand in addresses and in the key file."""
    if not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII):
        raise ConfigError(
            f"galleries: a gallery's name must be 1 to 64 letters, digits, - or _, without accents, not {name!r}"
        )


def find_key(keys: Sequence[Key], secret: str) -> Key | None:
    """The key with this secret, or None; all keys are compared, so that the time tells nothing."""
    digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
    match = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            match = key
    return match


def add_key(file: Path, name: str, role: str, galleries: Sequence[str] = ()) -> str:
    """Make a key, add its hash to the file, and return it; it can't be recovered later.

    Raises:
        ConfigError: the name of the key or of a gallery is not valid.
    """
    for gallery in galleries:
        check_gallery_name(gallery)
    if not name.isprintable() or len(name.split()) != 1:
        raise ConfigError(f"a key's name must be one word, not {name!r}")
    key = secrets.token_urlsafe(32)
    line = " ".join([name, role, hashlib.sha256(key.encode()).hexdigest(), *galleries]) + "\n"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as out:
        out.write(line)
    return key


_CURE = "make a key with `facerec keys FILE NAME admin`"

if __name__ == "__main__":
    parser = argparse.ArgumentParser("facerec keys", description="Make an API key; it is shown once.")
    parser.add_argument("file", type=Path)
    parser.add_argument("name")
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("galleries", nargs="*", metavar="GALLERY", help="names of those it opens; none: all")
    args = parser.parse_args()
    print(add_key(args.file, args.name, args.role, args.galleries))
