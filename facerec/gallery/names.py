"""Names of persons, checked alike by jobs, API and page; and untrusted text, made printable."""

import base64
import os
import unicodedata
from pathlib import Path

from facerec.errors import GalleryError

LONGEST_NAME = 200  # characters, after cleaning
_REASONS = {"Cc": "a control character", "Cs": "half of a surrogate pair"}
_LINE_BREAKS = "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
# embeddings, overrides and isolates: they also reverse what is written after a name
_DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_INVISIBLE = {"Cf", "Mn", "Zs"}  # such as joiners: parts of names, but not names by themselves


def clean_name(text: str) -> str:
    """The name in Unicode's form NFC, with single spaces between words and none around them.

    So José is one name, whether é is typed as one code point or as two.

    Raises:
        GalleryError: it is empty, longer than `LONGEST_NAME`, or holds a control character, a line break, a
            surrogate or a change of writing direction. The message does not repeat the name.
    """
    for character in text:
        if reason := _refusal(character):
            raise GalleryError(f"a person's name must not contain {reason} (U+{ord(character):04X})")
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if all(unicodedata.category(character) in _INVISIBLE for character in name):
        raise GalleryError("a person's name must not be empty")
    if len(name) > LONGEST_NAME:
        raise GalleryError(f"a person's name has {len(name)} characters, and may have {LONGEST_NAME}")
    return name


def printable(text: object) -> str:
    """Text or a path, to show in one line or to store.

    Bytes that are not UTF-8, and characters that a name must not contain, become U+FFFD.
    """
    return "".join("\N{REPLACEMENT CHARACTER}" if _refusal(character) else character for character in str(text))


def path_fields(file: Path) -> dict[str, str]:
    """A path for a JSON line, under `photo`; where it is not UTF-8, `photo_bytes` has its exact bytes as base64."""
    path = os.fsencode(file)
    try:
        return {"photo": path.decode()}
    except UnicodeDecodeError:
        return {"photo": path.decode(errors="replace"), "photo_bytes": base64.b64encode(path).decode()}


def _refusal(character: str) -> str | None:
    if character in _LINE_BREAKS:
        return "a line break"
    if ord(character) in _DIRECTIONS:
        return "a change of writing direction"
    return _REASONS.get(unicodedata.category(character))
