"""What a person may be called, one rule for job, API and page; and how to show text from outside."""

import unicodedata

from facerec.errors import GalleryError

LONGEST_NAME = 200  # characters, after cleaning
_REASONS = {"Cc": "a control character", "Cs": "half of a surrogate pair"}
_LINE_BREAKS = "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
# embeddings, overrides and isolates: they also turn round what is written after a name
_DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_INVISIBLE = {"Cf", "Mn", "Zs"}  # such as joiners: they are part of names, but make none by themselves


def clean_name(text: str) -> str:
    """The name in Unicode's form NFC, each run of white space one space and none around it.

    So a name typed in two ways, é as one code point or as two, is one name.

    Raises:
        GalleryError: it is empty, longer than `LONGEST_NAME`, or holds a control character, a line break, a
            surrogate or a change of writing direction; the message doesn't repeat the name.
    """
    for letter in text:
        if reason := _refusal(letter):
            raise GalleryError(f"a person's name must not contain {reason} (U+{ord(letter):04X})")
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if all(unicodedata.category(letter) in _INVISIBLE for letter in name):
        raise GalleryError("a person's name must not be empty")
    if len(name) > LONGEST_NAME:
        raise GalleryError(f"a person's name has {len(name)} characters, and may have {LONGEST_NAME}")
    return name


def printable(text: object) -> str:
    """Text or a path, to show in one line and to store: U+FFFD for bytes that aren't UTF-8, and for whatever else
    no name may contain."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _refusal(letter) else letter for letter in str(text))


def _refusal(letter: str) -> str | None:
    if letter in _LINE_BREAKS:
        return "a line break"
    if ord(letter) in _DIRECTIONS:
        return "a change of writing direction"
    return _REASONS.get(unicodedata.category(letter))
