"""Export a gallery to one file of JSON lines, and read it back."""

import base64
import json
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from psycopg import Connection

from facerec.errors import GalleryError
from facerec.gallery.audit import record_event
from facerec.gallery.records import Sample
from facerec.models.record import ModelRecord

_FORMAT = 1
_ROWS = """
    SELECT person.name, person.note, crop, vector, source, box, score, kept
    FROM sample JOIN person ON person.id = sample.person_id ORDER BY sample.person_id, crop
"""
PersonSamples = tuple[str, str, list[Sample]]  # name, note, samples


def export(connection: Connection[Any], file: Path, model: ModelRecord) -> int:
    """Write a header, then one line for each sample, as they are at one moment; returns the number of samples.

    The file is written whole or not at all.

    Raises:
        GalleryError: the file can't be written.
    """
    unfinished = file.with_name(f".{file.name}.new")
    count = 0
    try:
        with unfinished.open("w", encoding="utf-8") as out, connection.cursor(name="export") as cursor:
            header = {"format": _FORMAT, "model": model.fingerprint, "dim": model.dim}
            out.write(json.dumps(header) + "\n")
            for name, note, crop, vector, source, box, score, kept in cursor.execute(_ROWS):
                line = {
                    "person": name,
                    "note": note,
                    "crop": crop.hex(),
                    "vector": _base64(vector.to_numpy().astype("<f4").tobytes()),
                    "source": source,
                    "box": box,
                    "score": score,
                    "kept": kept and _base64(kept),
                }
                out.write(json.dumps(line) + "\n")
                count += 1
            out.flush()
            os.fsync(out.fileno())
        record_event(connection, "export", None, count)
        unfinished.replace(file)
    except OSError as error:
        raise GalleryError(f"{file}: can't be written ({error}); free space or choose another place") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def read(file: Path, model: str) -> Iterator[PersonSamples]:
    """Name, note and samples of one person after another.

    Raises:
        GalleryError: the file is missing, damaged, or of another model.
    """
    try:
        with file.open(encoding="utf-8-sig") as lines:
            header = json.loads(next(lines, "{}"))
            if header.get("format") != _FORMAT:
                raise GalleryError(f"{file}: is not a gallery export of format {_FORMAT}")
            if header["model"] != model:
                raise GalleryError(
                    f"{file}: holds vectors of model {header['model']}, the gallery those of {model}"
                )
            rows = (json.loads(line) for line in lines)
            for (name, note), group in groupby(rows, lambda row: (row["person"], row["note"])):
                yield name, note, [_sample(row) for row in group]
    except OSError as error:
        raise GalleryError(f"{file}: can't be read ({error})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GalleryError(f"{file}: is damaged ({error!r}); export the gallery again") from error


def _sample(row: dict[str, Any]) -> Sample:
    vector = np.frombuffer(base64.b64decode(row["vector"]), "<f4")
    box = tuple(row["box"]) if row["box"] else None
    kept = base64.b64decode(row["kept"]) if row["kept"] else None
    return Sample(vector, row["source"], bytes.fromhex(row["crop"]), box, row["score"], kept)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
