"""Answers as text for other programs: JSON lines, or a CSV table for spreadsheets."""

import csv
import json
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from facerec.errors import ConfigError
from facerec.faces import Face
from facerec.recognition.assignment import Named

COLUMNS = (
    *("photo", "face", "person", "person_id", "perhaps", "perhaps_id", "ignored"),
    *("nearest", "nearest_id", "similarity", "probability"),
    *("threshold", "search_far", "x0", "y0", "x1", "y1", "score", "problem", "photo_bytes"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would calculate what begins so


def answer_line(face: Face, named: Named) -> dict[str, Any]:
    """What is written of a face: where it is, who it is, and whom it resembles."""
    return {
        "box": [round(edge, 1) for edge in face.box.tolist()],
        "score": round(face.score, 4),
        "person": named.person and named.person.name,
        "person_id": named.person and str(named.person.person),
        "perhaps": named.perhaps and named.perhaps.name,
        "perhaps_id": named.perhaps and str(named.perhaps.person),
        "reason": named.reason,
        "ignored": named.ignored,
        "threshold": round(named.answer.rule.threshold, 4),
        "search_far": named.answer.rule.search_far,
        "matches": [
            {
                "person": match.name,
                "id": str(match.person),
                "similarity": round(match.similarity, 4),
                "probability": match.probability,
            }
            for match in named.answer.matches
        ],
    }


def line_writer(kind: str, stream: TextIO) -> Callable[[Mapping[str, Any]], None]:
    """A function that writes an answer about a face, or about a photo without faces, to `stream`.

    Args:
        kind: "json": a JSON object on each line; "csv": a row of `COLUMNS`, after a header. The table has the
            nearest match only, and an apostrophe before a text that a spreadsheet would take for a formula.
        stream: is written to and flushed.

    Raises:
        ConfigError: `kind` is neither.
    """
    if kind not in ("json", "csv"):
        raise ConfigError(f"format: must be json or csv, not {kind}")
    if kind == "csv":
        table = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()

    def write(answer: Mapping[str, Any]) -> None:
        if kind == "csv":
            table.writerow(_row(answer))
        else:
            stream.write(json.dumps(answer, ensure_ascii=False) + "\n")
        stream.flush()

    return write


def _row(answer: Mapping[str, Any]) -> dict[str, Any]:
    row = dict(answer)
    row |= zip(("x0", "y0", "x1", "y1"), answer.get("box", ()), strict=False)
    for nearest in answer.get("matches", ())[:1]:
        row |= {**nearest, "nearest": nearest["person"], "nearest_id": nearest["id"], "person": answer["person"]}
    return {key: as_text(value) if isinstance(value, str) else value for key, value in row.items()}


def as_text(value: str) -> str:
    """A cell that a spreadsheet takes for text."""
    return f"'{value}" if value.startswith(_FORMULA) else value


def text_of(cell: str) -> str:
    """The text of such a cell."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell
