"""What the API says to whoever sends something else than it wants: which field, and what to send."""

from typing import Any

import pytest

from facerec.gallery.names import LONGEST_NAME
from facerec.web.problems import WANTED
from tests.web.conftest import ANN, Running, check_problem, enroll, photo

NOBODY = "persons/00000000-0000-0000-0000-000000000000"
TEXT, FILE = (None, "text"), ("a.jpg", b"x")
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "said"),
    [
        ("POST", "identify", {}, 415, "send photos as files, as in `curl -F photo=@party.jpg`"),
        ("POST", "identify", {"json": {}}, 415, "and not as application/json"),
        ("POST", "identify", {"files": {"photo": TEXT}}, 422, "photo: send one picture as a file"),
        (
            "POST",
            "identify",
            {"files": {"other": FILE}},
            422,
            "photo: missing or empty; send one picture as a file",
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
        ("POST", "preview", {"files": {"photo": TEXT}}, 422, "photo: send one picture as a file"),
        (
            "POST",
            "samples",
            {"files": {"photos": FILE, "name": (None, "")}},
            422,
            "name: missing or empty; send what",
        ),
        (
            "POST",
            "samples",
            {"files": {"photos": FILE, "name": (None, " ")}},
            422,
            "name: a person's name must not be e",
        ),
        ("POST", "samples", {"files": {"photos": FILE, "name": FILE}}, 422, "name: send what the person is called"),
        ("POST", "samples", {"files": {"photos": TEXT, "name": TEXT}}, 422, "photos: send pictures as files"),
        (
            "POST",
            "samples",
            {"files": [("photos", TEXT)] * 2 + [("name", TEXT)]},
            422,
            "photos: send pictures as files",
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
        ("PATCH", NOBODY, {"content": b"x" * 70_000}, 413, "the request has more than 65,536 bytes"),
        ("POST", f"{NOBODY}/merge", {"json": {"into": "x"}}, 422, "into: send the id of the other person"),
        ("PUT", "persons", {}, 405, "PUT is not answered at this address"),
        ("GET", "nothing", {}, 404, "there is nothing at this address"),
    ],
)
def test_refusals_name_the_field_and_the_cure(
    service: Running, method: str, path: str, given: dict[str, Any], status: int, said: str
) -> None:
    detail = check_problem(service.client.request(method, f"/api/v1/{path}", **given), status)
    assert said in detail
    for word in ("Field required", "Input should", "Value error", "<class", "body."):
        assert word not in detail


def test_every_field_has_its_sentence(service: Running) -> None:
    described = service.client.get("/openapi.json").json()
    forms = [one for name, one in described["components"]["schemas"].items() if name.startswith("Body_")]
    bodies = [described["components"]["schemas"][name] for name in ("Rename", "Merge")]
    fields = {field for one in (*forms, *bodies) for field in one["properties"]}
    parameters = [
        parameter["name"]
        for path in described["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
    ]
    assert {"photo", "photos", "name", "into"} < fields
    assert WANTED.keys() == {*fields, *parameters, "key"}  # that of the page


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("علی\u200cرضا", "علی\u200cرضا"),  # noqa: RUF001 - Persian, with a zero-width non-joiner
        ("山田\u3000太郎", "山田 太郎"),
        ("क्\u200dष 👩\u200d🚀", "क्\u200dष 👩\u200d🚀"),
        (" Jose\u0301\u00a0 Garci\u0301a ", "José García"),
        ("李" * LONGEST_NAME, "李" * LONGEST_NAME),
        ("👩" * LONGEST_NAME, "👩" * LONGEST_NAME),
    ],
)
def test_names_that_people_have(service: Running, given: str, kept: str) -> None:
    person = enroll(service.client, given, photo(ANN, 1)).json()["person"]
    assert person["name"] == kept
    again = enroll(service.client, kept, photo(ANN, 2)).json()
    assert again["person"]["id"] == person["id"]
    assert again["photos"][0]["looks_like"] is None
    changed = service.client.patch(f"/api/v1/persons/{person['id']}", json={"name": f"\u3000{given}"})
    assert changed.json()["name"] == kept


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("a\nb", "a line break"),
        ("a\u2028b", "a line break"),
        ("a\tb", "a control character"),
        ("a\u202eb", "a change of writing direction"),
        ("\u200b", "must not be empty"),
        ("a" * (LONGEST_NAME + 1), "has 201 characters, and may have 200"),
    ],
)
def test_names_that_nobody_has(service: Running, given: str, reason: str) -> None:
    assert reason in check_problem(enroll(service.client, given, photo(ANN, 1)), 422)
    assert reason in check_problem(service.client.patch(f"/api/v1/{NOBODY}", json={"name": given}), 422)
