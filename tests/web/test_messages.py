"""Refusals of the API say which field is wrong and what to send."""

from typing import Any

import pytest

from facerec.gallery.names import LONGEST_NAME
from facerec.web.pages import describe_rate
from facerec.web.problems import WANTED
from tests.web.conftest import ANN, Running, check_problem, enroll, photo

NOBODY = "persons/00000000-0000-0000-0000-000000000000"
TEXT, FILE = (None, "text"), ("a.jpg", b"x")
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("method", "path", "request_body", "status", "sentence"),
    [
        ("POST", "identify", {}, 415, "send photos as files, as in `curl -F photo=@party.jpg`"),
        ("POST", "identify", {"json": {}}, 415, ", not as application/json"),
        ("POST", "identify", {"files": {"photo": TEXT}}, 422, "photo: send one photo as a file"),
        (
            "POST",
            "identify",
            {"files": {"other": FILE}},
            422,
            "photo: missing or empty; send one photo as a file",
        ),
        ("POST", "identify", {"files": {"photo": FILE, "far": (None, "2")}}, 422, "far: send a number above 0 and"),
        (
            "POST",
            "identify",
            {"files": {"photo": FILE, "top": (None, "x")}},
            422,
            "top: send a whole number from 1",
        ),
        ("POST", "identify", {"content": b"x", "headers": FORM}, 400, "the form can't be read ("),
        ("POST", "identify", {"files": {"photo": (None, "x" * 2**21)}}, 400, "send photos as files"),
        ("POST", "preview", {"files": {"photo": TEXT}}, 422, "photo: send one photo as a file"),
        (
            "POST",
            "samples",
            {"files": {"photos": FILE, "name": (None, "")}},
            422,
            "name, person: send one of the two",
        ),
        (
            "POST",
            "samples",
            {"files": {"photos": FILE, "name": (None, " ")}},
            422,
            "name: a person's name must not be e",
        ),
        ("POST", "samples", {"files": {"photos": FILE, "name": FILE}}, 422, "name: send the person's name"),
        ("POST", "samples", {"files": {"photos": TEXT, "name": TEXT}}, 422, "photos: send photos as files"),
        (
            "POST",
            "samples",
            {"files": [("photos", TEXT)] * 2 + [("name", TEXT)]},
            422,
            "photos: send photos as files",
        ),
        (
            "POST",
            "samples",
            {"files": {"photos": FILE, "name": TEXT, "face": (None, "0")}},
            422,
            "face: send the number",
        ),
        ("GET", "persons/ann", {}, 422, "person: put a person's id into the address"),
        ("PATCH", NOBODY, {}, 422, "the body: send a JSON object in UTF-8"),
        ("PATCH", NOBODY, {"json": []}, 422, "the body: send a JSON object in UTF-8"),
        ("PATCH", NOBODY, {"content": b"{", "headers": JSON}, 422, "the body: send a JSON object in UTF-8"),
        (
            "PATCH",
            NOBODY,
            {"content": b'"\xff"', "headers": JSON},
            400,
            "the body can't be read; send a JSON object",
        ),
        (
            "PATCH",
            NOBODY,
            {"content": b'{"name":"\\udcff"}', "headers": JSON},
            422,
            "half of a surrogate pair (U+DCFF)",
        ),
        (
            "PATCH",
            NOBODY,
            {"json": {"name": "a", "note": "a\0"}},
            422,
            "note: send text of at most 2,000 characters",
        ),
        ("PATCH", NOBODY, {"content": b"x" * 70_000}, 413, "the request is larger than 65,536 bytes"),
        ("POST", f"{NOBODY}/merge", {"json": {"into": "x"}}, 422, "into: send the id of the other person"),
        ("PUT", "persons", {}, 405, "PUT is not supported at this address"),
        ("GET", "nothing", {}, 404, "there is nothing at this address"),
    ],
)
def test_refusals_name_the_field_and_the_cure(
    service: Running, method: str, path: str, request_body: dict[str, Any], status: int, sentence: str
) -> None:
    detail = check_problem(service.client.request(method, f"/api/v1/{path}", **request_body), status)
    assert sentence in detail
    for word in ("Field required", "Input should", "Value error", "<class", "body."):
        assert word not in detail


def test_rates_are_described_in_words() -> None:
    assert describe_rate(0.001, "search") == "1 false match in 1,000 searches"
    assert describe_rate(0.03, "pair") == "1 false match in 33 comparisons"


def test_every_field_has_its_sentence(service: Running) -> None:
    document = service.client.get("/openapi.json").json()
    forms = [form for name, form in document["components"]["schemas"].items() if name.startswith("Body_")]
    bodies = [
        document["components"]["schemas"][name]
        for name in ("PersonChange", "Merge", "Move", "GroupName", "Refusal")
    ]
    fields = {field for schema in (*forms, *bodies) for field in schema["properties"]}
    parameters = [
        parameter["name"]
        for path in document["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
    ]
    assert {"photo", "photos", "name", "into"} < fields
    assert WANTED.keys() == {*fields, *parameters, "key"}  # that of the page


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("علی\u200cرضا", "علی\u200cرضا"),  # noqa: RUF001 - Persian, with a zero-width non-joiner
        ("山田\u3000太郎", "山田 太郎"),
        ("क्\u200dष 👩\u200d🚀", "क्\u200dष 👩\u200d🚀"),
        (" Jose\u0301\u00a0 Garci\u0301a ", "José García"),
        ("李" * LONGEST_NAME, "李" * LONGEST_NAME),
        ("👩" * LONGEST_NAME, "👩" * LONGEST_NAME),
    ],
)
def test_names_that_people_have(service: Running, name: str, stored: str) -> None:
    person = enroll(service.client, name, photo(ANN, 1)).json()["person"]
    assert person["name"] == stored
    again = enroll(service.client, stored, photo(ANN, 2)).json()
    assert again["person"]["id"] == person["id"]
    assert again["photos"][0]["looks_like"] is None
    changed = service.client.patch(f"/api/v1/persons/{person['id']}", json={"name": f"\u3000{name}"})
    assert changed.json()["name"] == stored


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a\nb", "a line break"),
        ("a\u2028b", "a line break"),
        ("a\tb", "a control character"),
        ("a\u202eb", "a change of writing direction"),
        ("\u200b", "must not be empty"),
        ("a" * (LONGEST_NAME + 1), "has 201 characters, and may have 200"),
    ],
)
def test_names_that_nobody_has(service: Running, name: str, reason: str) -> None:
    assert reason in check_problem(enroll(service.client, name, photo(ANN, 1)), 422)
    assert reason in check_problem(service.client.patch(f"/api/v1/{NOBODY}", json={"name": name}), 422)
