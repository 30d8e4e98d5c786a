"""The table of refused photos: it says why, can be corrected, and is enrolled from."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from facerec.errors import ConfigError
from facerec.recognition.lines import as_text, text_of
from facerec.runtime.files import replace_file

_COLUMNS = ("photo", "person", "reason")
# a path may be any bytes, and spreadsheets know UTF-8 by its mark
_BYTES = {"encoding": "utf-8-sig", "errors": "surrogateescape"}


def write_table(file: Path, rows: Iterable[tuple[Path, str, str]]) -> None:
    """Write a CSV table of photos, the names that were given, and why they were refused; whole or not at all."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(_COLUMNS)
    table.writerows([str(photo.absolute()), as_text(person), as_text(reason)] for photo, person, reason in rows)
    replace_file(file, stream.getvalue().encode(**_BYTES))


def read_table(file: Path) -> list[tuple[Path, str]]:
    """The photos of a table and whose they are; a path may be relative to the table's folder.

    Raises:
        ConfigError: the file is no such table, or a row names no photo.
    """
    try:
        text = file.read_bytes().decode(**_BYTES)
    except OSError as error:
        raise ConfigError(f"photos: {file}: {error.strerror}") from error
    rows = csv.DictReader(io.StringIO(text, newline=""))
    people = []
    try:
        if not {"photo", "person"} <= set(rows.fieldnames or ()):
            raise ConfigError(f"photos: {file} is no table with the columns photo and person")
        for row in rows:
            if not row["photo"]:
                raise ConfigError(f"photos: {file}, line {rows.line_num}: names no photo")
            people.append((file.parent / row["photo"], text_of(row["person"] or "")))
    except csv.Error as error:
        raise ConfigError(f"photos: {file}, line {rows.line_num}: {error}") from error
    return people
