"""Export a gallery to one file of JSON lines, and read it back."""

import base64
import json
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import numpy as np
from pgvector import Vector
from psycopg import Connection

from facerec.errors import GalleryError
from facerec.gallery.audit import record_event
from facerec.gallery.denials import add_denial
from facerec.gallery.enrolment import add_samples
from facerec.gallery.names import clean_name, printable
from facerec.gallery.records import Sample
from facerec.gallery.vectors import check_vectors
from facerec.models.record import ModelRecord

_FORMAT = 2  # 1 had no ids, so two persons of one name were one
_ROWS = """
    SELECT person.id, name, note, ignored, denied, crop, vector, source, box, score, kept
    FROM (SELECT *, false AS denied FROM sample UNION ALL SELECT *, true FROM denial) AS face
    JOIN person ON person.id = face.person_id ORDER BY person.id, denied, crop
"""


class PersonEntry(NamedTuple):
    """What a file holds of a person.

    Attributes:
        id: of the person; None in files of format 1.
        name, note, ignored: of the person.
        samples: of theirs.
        denials: faces that are said not to be this person.
        others: ids of everybody in the file.
    """

    id: UUID | None
    name: str
    note: str
    ignored: bool
    samples: list[Sample]
    denials: list[Sample]
    others: frozenset[UUID]


def export(connection: Connection[Any], file: Path, model: ModelRecord) -> int:
    """Write a header, then one line for each sample, as they are at one moment; returns the number of samples.

    The file is written whole or not at all.

    Raises:
        GalleryError: the file can't be written.
    """
    unfinished = file.with_name(f".{file.name}.new")
    count = 0
    try:
        with unfinished.open("w", encoding="utf-8") as out:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            persons = [str(row[0]) for row in connection.execute("SELECT id FROM person")]
            header = {"format": _FORMAT, "model": model.fingerprint, "dim": model.dim, "persons": persons}
            out.write(json.dumps(header) + "\n")
            with connection.cursor(name="export") as cursor:
                for person, name, note, ignored, denied, *sample in cursor.execute(_ROWS):
                    about = {"id": str(person), "person": name, "note": note, "ignored": ignored, "denied": denied}
                    out.write(json.dumps({**about, **_sample_line(*sample)}) + "\n")
                    count += not denied
            out.flush()
            os.fsync(out.fileno())
        record_event(connection, "export", None, count)
        unfinished.replace(file)
    except OSError as error:
        raise GalleryError(f"{file}: can't be written ({error}); free space or choose another place") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def read(file: Path, model: str) -> Iterator[PersonEntry]:
    """What the file holds of one person after another.

    Raises:
        GalleryError: the file is missing, damaged, or of another model.
    """
    try:
        with file.open(encoding="utf-8-sig") as lines:
            header = json.loads(next(lines, "{}"))
            if header.get("format") not in (1, _FORMAT):
                raise GalleryError(f"{file}: is not a gallery export of format 1 or {_FORMAT}")
            if header["model"] != model:
                raise GalleryError(
                    f"{file}: holds vectors of model {header['model']}, the gallery those of {model}"
                )
            others = frozenset(map(UUID, header.get("persons", ())))
            rows = (json.loads(line) for line in lines)
            for (person, name, note), group in groupby(
                rows, lambda row: (row.get("id"), row["person"], row["note"])
            ):
                faces = list(group)
                yield PersonEntry(
                    id=person and UUID(person),
                    name=name,
                    note=note,
                    ignored=bool(faces[0].get("ignored")),
                    samples=[_sample(row) for row in faces if not row.get("denied")],
                    denials=[_sample(row) for row in faces if row.get("denied")],
                    others=others,
                )
    except OSError as error:
        raise GalleryError(f"{file}: can't be read ({error})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GalleryError(f"{file}: is damaged ({error!r}); export the gallery again") from error


def load_person(connection: Connection[Any], *, model: ModelRecord, entry: PersonEntry) -> int:
    """Enrol what a file holds of a person; returns the number of new samples.

    It is the person of the same id; else the one of the same name, unless the file holds that one too; else a new
    person.

    Raises:
        GalleryError: a crop is enrolled as somebody else, or the name is not valid or that of several persons.
    """
    name = clean_name(entry.name)
    faces = [*entry.samples, *entry.denials]
    check_vectors(np.stack([face.vector for face in faces]), model)
    new_id = entry.id or uuid4()
    known = connection.execute("SELECT id FROM person WHERE id = %s", [new_id]).fetchall()
    namesakes = connection.execute("SELECT id FROM person WHERE name = %s", [name]).fetchall()
    same = known or [row for row in namesakes if row[0] not in entry.others]
    who = same[0][0] if len(same) == 1 else name  # several are refused as in every enrolment
    person, added, _ = add_samples(
        connection, model.fingerprint, who, entry.note or None, entry.samples, new_id, new=not same
    )
    for face in entry.denials:
        add_denial(connection, person, face)
    if person == new_id and entry.ignored:
        connection.execute("UPDATE person SET ignored = true WHERE id = %s", [person])
    return added


def _sample_line(
    crop: bytes, vector: Vector, source: str, box: list[float] | None, score: float | None, kept: bytes | None
) -> dict[str, Any]:
    return {
        "crop": crop.hex(),
        "vector": _base64(vector.to_numpy().astype("<f4").tobytes()),
        "source": source,
        "box": box,
        "score": score,
        "kept": kept and _base64(kept),
    }


def _sample(row: dict[str, Any]) -> Sample:
    vector = np.frombuffer(base64.b64decode(row["vector"]), "<f4")
    box = tuple(row["box"]) if row["box"] else None
    kept = base64.b64decode(row["kept"]) if row["kept"] else None
    return Sample(vector, printable(row["source"]), bytes.fromhex(row["crop"]), box, row["score"], kept)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
