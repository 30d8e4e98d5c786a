"""Single samples: find them by their crop's hash, delete them, and move them to another person."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from facerec.errors import GalleryError, UnknownSampleError
from facerec.gallery.binary_codes import store_code

_SHORTEST = 4  # hex digits that can stand for a sample
_PREFIX = re.compile(rf"[0-9a-f]{{{_SHORTEST},64}}")
# a unique beginning of the hash is found with the index of the crops
_FIND = "SELECT person_id, crop FROM {table} WHERE crop BETWEEN %s AND %s"
_MOVE = """
    INSERT INTO {into} (person_id, crop, vector, source, box, score, kept, created)
    SELECT %s, crop, vector, source, box, score, kept, created FROM sample WHERE person_id = %s AND crop = %s
    ON CONFLICT (person_id, crop) DO NOTHING
"""
_KEPT = """
    SELECT kept FROM sample WHERE crop = %s AND kept IS NOT NULL
    UNION ALL SELECT kept FROM denial WHERE crop = %s AND kept IS NOT NULL LIMIT 1
"""
Key = tuple[UUID, bytes]  # person and crop


def find_sample(connection: Connection[Any], sample: str, *, table: str = "sample") -> Key:
    """The person and the crop of a sample.

    Args:
        connection: in a transaction.
        sample: the first characters of the crop's SHA-256 in hex.
        table: sample, or denial.

    Raises:
        UnknownSampleError: there is none, or several begin so.
    """
    if not _PREFIX.fullmatch(sample.lower()):
        raise UnknownSampleError(
            f"sample: {sample!r} is no hash of a crop; give its first {_SHORTEST} characters or more, as "
            "`facerec gallery show name=…` lists them"
        )
    rows = connection.execute(_FIND.format(table=table).encode(), _bounds(sample)).fetchall()
    if len(rows) != 1:
        reason = "no sample begins" if not rows else f"{len(rows)} samples begin"
        cure = "`facerec gallery show name=…` lists them" if not rows else "give more characters"
        raise UnknownSampleError(f"sample: {reason} with {sample}; {cure}")
    person, crop = rows[0]
    return person, crop


def find_samples(connection: Connection[Any], samples: Sequence[str]) -> list[Key]:
    """`find_sample` for each, without repetitions.

    Raises:
        UnknownSampleError: as `find_sample`.
        GalleryError: none is given.
    """
    if not samples:
        raise GalleryError("sample: give one at least, such as sample=3fa9")
    return list(dict.fromkeys(find_sample(connection, sample) for sample in samples))


def move_samples(connection: Connection[Any], keys: Sequence[Key], to: UUID, *, into: str = "sample") -> None:
    """Move samples of locked persons to another person, or, with `into="denial"`, to the faces denied of them."""
    for person, crop in keys:
        connection.execute(_MOVE.format(into=into).encode(), [to, person, crop])
    delete_samples(connection, [key for key in keys if into == "denial" or key[0] != to])
    store_code(connection, to)


def delete_samples(connection: Connection[Any], keys: Sequence[Key]) -> None:
    """Delete samples of locked persons, who stay, if need be without any."""
    for person, crop in keys:
        connection.execute("DELETE FROM sample WHERE person_id = %s AND crop = %s", [person, crop])
    for person in {person for person, _ in keys}:
        store_code(connection, person)


def read_crop(connection: Connection[Any], sample: str) -> bytes | None:
    """The crop of a sample, or of a denied face, as PNG; None: it was not kept.

    Raises:
        UnknownSampleError: as `find_sample`.
    """
    try:
        _, crop = find_sample(connection, sample)
    except UnknownSampleError:
        # one face may be denied of several persons; it is the same crop then
        denied = connection.execute(_FIND.format(table="denial").encode(), _bounds(sample)).fetchall()
        if len({crop for _, crop in denied}) != 1:
            raise
        crop = denied[0][1]
    row = connection.execute(_KEPT, [crop, crop]).fetchone()
    return row and row[0]


def _bounds(sample: str) -> tuple[bytes, bytes]:
    """The first and the last hash that begins so."""
    first, last = (bytes.fromhex(sample.lower().ljust(64, digit)) for digit in "0f")
    return first, last
