"""The OpenAPI document is committed, and a change that would break clients is found."""

import json
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from facerec.web.app import routes
from facerec.web.compatibility import breaking_changes
from facerec.web.openapi import broken, to_text

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"
Document = dict[str, Any]
PERSON = "/api/v1/persons/{person}"


@pytest.fixture(scope="module")
def document() -> Document:
    loaded: Document = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return loaded


def test_the_committed_file_is_what_the_service_has(document: Document) -> None:
    served = routes().openapi()
    changes = broken(document, served)
    assert not changes, "\n".join(["this breaks clients; see `Changing the API` in docs/web.md:", *changes])
    assert COMMITTED.read_text(encoding="utf-8") == to_text(served), "run `make openapi`"


def _field(document: Document, schema: str, name: str) -> Document:
    field: Document = document["components"]["schemas"][schema]["properties"][name]
    return field


def _parameter(document: Document, path: str, name: str) -> Document:
    parameters = document["paths"][path]["post"]["parameters"]
    found: Document = next(parameter for parameter in parameters if parameter["name"] == name)
    return found


def _require(document: Document, schema: str, name: str) -> None:
    document["components"]["schemas"][schema].setdefault("required", []).append(name)


def _drop(document: Document, schema: str, name: str) -> None:
    definition = document["components"]["schemas"][schema]
    del definition["properties"][name]
    definition["required"] = [field for field in definition.get("required", ()) if field != name]


def _add(document: Document, schema: str, name: str, *, required: bool) -> None:
    document["components"]["schemas"][schema]["properties"][name] = {"type": "string"}
    if required:
        _require(document, schema, name)


def _body(what: str) -> str:
    return f"Body_{what}_api_v1_{what}_post"


BREAKING: dict[str, tuple[Callable[[Document], object], str]] = {
    "a path": (lambda new: new["paths"].pop(PERSON), f"GET {PERSON}: is gone"),
    "a method": (lambda new: new["paths"][PERSON].pop("delete"), f"DELETE {PERSON}: is gone"),
    "a new field that requests need": (
        lambda new: _add(new, "Merge", "why", required=True),
        f"POST {PERSON}/merge: body.why: is required now",
    ),
    "a field that requests need now": (
        lambda new: _require(new, "PersonChange", "name"),
        f"PATCH {PERSON}: body.name: is required now",
    ),
    "a field that requests had": (
        lambda new: _drop(new, _body("identify"), "far"),
        "POST /api/v1/identify: body.far: is gone",
    ),
    "a parameter that is needed now": (
        lambda new: _parameter(new, f"{PERSON}/merge", "gallery").update(required=True),
        f"POST {PERSON}/merge: parameter gallery: is required now",
    ),
    "a parameter that is gone": (
        lambda new: new["paths"][PERSON]["get"].pop("parameters"),
        f"GET {PERSON}: parameter person: is gone",
    ),
    "a choice of a request": (
        lambda new: _field(new, _body("compare"), "faces").update(enum=["largest"]),
        "POST /api/v1/compare: body.faces: was ['largest', 'all'] and is ['largest'] now",
    ),
    "a bound of a request": (
        lambda new: _field(new, _body("identify"), "top").update(maximum=10),
        "POST /api/v1/identify: body.top: maximum was 20.0 and is 10 now",
    ),
    "a pattern of a request": (
        lambda new: _field(new, "PersonChange", "note")["anyOf"][0].update(pattern="^a$"),
        f"PATCH {PERSON}: body.note: pattern was ^[^\\x00]*$ and is ^a$ now",
    ),
    "null in a request": (
        lambda new: _field(new, "Move", "to")["anyOf"].pop(),
        "POST /api/v1/samples/move: body.to: was null and is string now",
    ),
    "a kind of body": (
        lambda new: new["paths"]["/api/v1/embed"]["post"]["requestBody"].update(content={}),
        "POST /api/v1/embed: body: multipart/form-data is gone",
    ),
    "a field of an answer": (
        lambda new: _drop(new, "FaceOut", "score"),
        "POST /api/v1/identify: answer.faces[].score: is gone",
    ),
    "a field that an answer may lack": (
        lambda new: new["components"]["schemas"]["PersonOut"]["required"].remove("note"),
        "GET /api/v1/persons: answer[].note: may be missing now",
    ),
    "a type in an answer": (
        lambda new: _field(new, "MatchOut", "similarity").update(type="string"),
        "POST /api/v1/identify: answer.faces[].matches[].similarity: was number and is string now",
    ),
    "a fraction in an answer": (
        lambda new: _field(new, "PersonOut", "samples").update(type="number"),
        "GET /api/v1/persons: answer[].samples: was integer and is number now",
    ),
    "null in an answer": (
        lambda new: _field(new, "PersonOut", "note").update(anyOf=[{"type": "string"}, {"type": "null"}]),
        "GET /api/v1/persons: answer[].note: was string and is null now",
    ),
    "the items of a box": (
        lambda new: _field(new, "FaceOut", "box")["prefixItems"].pop(),
        "POST /api/v1/identify: answer.faces[].box: number of items was 4 and is 3 now",
    ),
    "the status of an answer": (
        lambda new: new["paths"]["/api/v1/samples"]["post"]["responses"].pop("201"),
        "POST /api/v1/samples: the answer 201 is gone",
    ),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_clients_is_found(document: Document, name: str) -> None:
    change, sentence = BREAKING[name]
    new = deepcopy(document)
    change(new)
    assert sentence in breaking_changes(document, new)
    new["info"]["version"] = "2"
    assert broken(document, new) == []


HARMLESS: dict[str, Callable[[Document], object]] = {
    "nothing": lambda new: None,
    "a path": lambda new: new["paths"].update({"/api/v1/new": new["paths"][PERSON]}),
    "a field that requests may leave out": lambda new: _add(new, "Merge", "why", required=False),
    "a field of an answer": lambda new: _add(new, "PersonOut", "nickname", required=True),
    "a choice of a request": lambda new: _field(new, _body("compare"), "faces")["enum"].append("best"),
    "a bound of a request": lambda new: _field(new, _body("identify"), "top").update(maximum=100),
    "null in a request": lambda new: _field(new, "Merge", "into").update(
        anyOf=[{"type": "string", "format": "uuid"}, {"type": "null"}]
    ),
    "no null in an answer": lambda new: _field(new, "PersonOut", "picture")["anyOf"].pop(),
    "a bound of an answer": lambda new: _field(new, "PersonOut", "samples").update(minimum=0),
    "a description": lambda new: new["paths"][PERSON]["get"].update(description="Other words."),
    "a refusal": lambda new: new["paths"][PERSON]["get"]["responses"].pop("408"),
    "a parameter that may be left out": lambda new: (
        _parameter(new, f"{PERSON}/merge", "gallery").update(name="x")
        or new["paths"][f"{PERSON}/merge"]["post"]["parameters"].append(
            {"in": "query", "name": "gallery", "schema": {"anyOf": [{"type": "string"}, {"type": "null"}]}}
        )
    ),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_clients_can_bear_is_let_through(document: Document, name: str) -> None:
    new = deepcopy(document)
    HARMLESS[name](new)
    assert breaking_changes(document, new) == []


def test_a_file_that_clients_rely_on_is_not_overwritten(document: Document, tmp_path: Path) -> None:
    file, older = tmp_path / "openapi.json", deepcopy(document)
    _add(older, "PersonOut", "nickname", required=True)
    file.write_text(to_text(older), encoding="utf-8")
    command = [sys.executable, "-m", "facerec.web.openapi", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=COMMITTED.parents[1])
    assert done.returncode == 1
    assert "GET /api/v1/persons: answer[].nickname: is gone" in done.stderr
    assert file.read_text(encoding="utf-8") == to_text(older)
    file.unlink()
    subprocess.run(command, check=True, cwd=COMMITTED.parents[1])
    assert file.read_text(encoding="utf-8") == COMMITTED.read_text(encoding="utf-8")
