"""A gallery as one file of JSON lines, to keep, to move, or to read elsewhere."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from psycopg import Connection

from facerec.errors import GalleryError
from facerec.gallery.records import Sample

_FORMAT = 1
_ROWS = """
    SELECT person.name, person.note, crop, vector, source, box, score, kept
    FROM sample JOIN person ON person.id = sample.person_id ORDER BY sample.person_id, crop
"""
Group = tuple[str, str, list[Sample]]


def write(connection: Connection[Any], file: Path, model: str, dim: int) -> int:
    """Write everything as it is at one moment: a heading, then a line for each sample; returns how many.

    The file is there whole or not at all.

    Raises:
        GalleryError: the disk refuses.
    """
    half = file.with_name(f".{file.name}.new")
    count = 0
    try:
        with half.open("w", encoding="utf-8") as out, connection.cursor(name="export") as cursor:
            out.write(json.dumps({"format": _FORMAT, "model": model, "dim": dim}) + "\n")
            for name, note, crop, vector, source, box, score, kept in cursor.execute(_ROWS):
                content = _text(vector.to_numpy().astype("<f4").tobytes())
                line = {"person": name, "note": note, "crop": crop.hex(), "vector": content}
                out.write(
                    json.dumps({**line, "source": source, "box": box, "score": score, "kept": kept and _text(kept)})
                    + "\n"
                )
                count += 1
            out.flush()
            os.fsync(out.fileno())
        half.replace(file)
    except OSError as error:
        raise GalleryError(f"{file}: can't be written ({error}); free space or choose another place") from error
    finally:
        half.unlink(missing_ok=True)
    return count


def read(file: Path, model: str) -> Iterator[Group]:
    """Name, note and samples of one person after another.

    Raises:
        GalleryError: the file is missing, damaged, or of another model.
    """
    try:
        with file.open(encoding="utf-8-sig") as lines:
            heading = json.loads(next(lines, "{}"))
            if heading.get("format") != _FORMAT:
                raise GalleryError(f"{file}: is no gallery export of format {_FORMAT}")
            if heading["model"] != model:
                raise GalleryError(
                    f"{file}: holds vectors of model {heading['model']}, and the gallery's is {model}"
                )
            group: Group | None = None
            for line in lines:
                row = json.loads(line)
                if group and group[0] != row["person"]:
                    yield group
                    group = None
                group = group or (row["person"], row["note"], [])
                group[2].append(_sample(row))
            if group:
                yield group
    except OSError as error:
        raise GalleryError(f"{file}: can't be read ({error})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GalleryError(f"{file}: is damaged ({error!r}); export again") from error


def _sample(row: dict[str, Any]) -> Sample:
    vector = np.frombuffer(base64.b64decode(row["vector"]), "<f4")
    box = tuple(row["box"]) if row["box"] else None
    kept = base64.b64decode(row["kept"]) if row["kept"] else None
    return Sample(vector, row["source"], bytes.fromhex(row["crop"]), box, row["score"], kept)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
