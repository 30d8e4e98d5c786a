"""Answers for other programs: JSON lines and CSV."""

import csv
import io
import json
from typing import Any

import pytest

from facerec.errors import ConfigError
from facerec.recognition.lines import COLUMNS, line_writer

NAMES = ["Ann, Jr.", 'Bea "the <best>"', "Cleo\nMallory", "=1+1", "+1", "-1", "@SUM(1)", "\tx", "李", "Zoë"]


def answer(person: str | None, nearest: str, similarity: float) -> dict[str, Any]:
    matches = [
        {"person": name, "id": name[::-1], "similarity": similarity, "probability": 0.5} for name in (nearest, "x")
    ]
    return {"photo": "a.jpg", "face": 1, "box": [-1.5, 2.0, 3.0, 4.0], "person": person, "matches": matches}


@pytest.mark.parametrize("name", NAMES)
def test_csv(name: str) -> None:
    stream = io.StringIO()
    write = line_writer("csv", stream)
    write(answer(name, name, -0.25))
    write(answer(None, name, 0.5))
    write({"photo": "b.jpg", "faces": 0, "problem": None})
    rows = list(csv.DictReader(io.StringIO(stream.getvalue(), newline="")))
    shown = f"'{name}" if name[0] in "=+-@\t" else name
    assert [row["person"] for row in rows] == [shown, "", ""]
    assert [row["nearest"] for row in rows] == [shown, shown, ""]
    assert [row["similarity"] for row in rows] == ["-0.25", "0.5", ""]  # numbers are numbers
    assert rows[0]["x0"] == "-1.5"
    assert tuple(rows[0]) == COLUMNS


def test_json() -> None:
    stream = io.StringIO()
    write = line_writer("json", stream)
    answers = [answer(name, name, 0.5) for name in NAMES]
    for one in answers:
        write(one)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == answers


def test_other_formats() -> None:
    with pytest.raises(ConfigError, match="format: must be json or csv, not xml"):
        line_writer("xml", io.StringIO())
