"""Requests generated from the OpenAPI document by schemathesis: every answer is one that it declares."""

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.web.conftest import ANN, BOB, Running, Start, check_problem, enroll, photo
from tests.web.test_api_index import index

few = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# a schema can't say that bytes are a photo or that a name is visible
UNDECLARED = [positive_data_acceptance]


def _operations(service: Running) -> Iterator[Any]:
    for operation in schemathesis.openapi.from_url(f"{service.url}/openapi.json").get_all_operations():
        yield operation.ok()  # type: ignore[union-attr]


def _two_people(client: httpx.Client) -> list[dict[str, Any]]:
    """Two people with samples; if there are no two, everybody is erased, and two are enrolled."""
    ids = [person["id"] for person in client.get("/api/v1/persons").json()]
    people = [client.get(f"/api/v1/persons/{person}").json() for person in ids]
    if len(full := [person for person in people if person["faces"]]) >= 2:
        return full[:2]
    for person in people:
        client.delete(f"/api/v1/persons/{person['id']}").raise_for_status()
    for number, name in ((ANN, "Ann"), (BOB, "Bob")):
        enroll(client, name, photo(number, 1)).raise_for_status()
    return _two_people(client)


def _fill(service: Running, case: Any) -> None:
    """Put persons, samples, changes and photos that exist into a request, in the fields that it has."""
    client = service.client
    one, other = _two_people(client)
    crops = [face["crop"] for face in one["faces"]]
    files = [photo(ANN, 1), photo(ANN, 2)]
    known = {"photo": files[0], "other": files[1], "photos": files[1:], "samples": crops[:1], "sample": crops[0]}
    known |= {"crop": crops[0], "person": one["id"], "into": other["id"], "to": other["id"], "face": 1}
    client.patch(f"/api/v1/persons/{one['id']}", json={"note": "to be undone"}).raise_for_status()
    if "/indexed/" in case.operation.label and (asked := client.get("/api/v1/questions?limit=1").json()):
        known["crop"] = asked[0]["face"]["crop"]
    if groups := client.get("/api/v1/unknown").json():
        known["group"] = groups[0]["id"]
    known["change_id"] = client.get("/api/v1/changes").json()[0]["id"]
    path, body = case.path_parameters, case.body if isinstance(case.body, dict) else {}
    if case.operation.label.startswith("DELETE") and "crop" in path:  # a face that is denied
        client.post(f"/api/v1/persons/{one['id']}/denials", data={"sample": crops[0]}).raise_for_status()
    for fields in (path, body):
        fields.update((field, value) for field, value in known.items() if field in fields)
    if case.media_type == "application/json":  # its fields of other names are made up, even such a one
        for field in ("photo", "other", "photos"):
            body.pop(field, None)
    for field, instead in (("name", "to"), ("name", "person"), ("photo", "sample")):
        if {field, instead} <= body.keys():
            del body[field]
    if "ignore" in body:
        body["ignore"] = not {"to", "name"} & body.keys()
    if isinstance(case.query, dict):
        case.query.pop("gallery", None)


@pytest.fixture
def full(start: Start, contract: Path, tmp_path: Path) -> Running:
    """A service that keeps crops and has an index, with two photos of each of more people than will be named."""
    service = start("keep_crops=true", "limits.rate=100000/minute")
    for person in range(11, 40):
        picture = Image.open(io.BytesIO(photo(person, 1)))
        for quality in (95, 85):
            picture.save(tmp_path / f"{person}-{quality}.jpg", quality=quality)
    index(service, contract, f"photos={tmp_path}")
    return service


@pytest.mark.slow
def test_valid_requests_get_declared_answers(full: Running) -> None:
    service = full
    statuses, pending = set(), {operation.label: "" for operation in _operations(service)}
    for operation in _operations(service):

        @few
        @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        def check(case: Any) -> None:
            statuses.add(case.call_and_validate(timeout=120, excluded_checks=UNDECLARED).status_code)
            _fill(service, case)
            answer = case.call_and_validate(timeout=120, excluded_checks=UNDECLARED)
            statuses.add(answer.status_code)
            if answer.status_code < 300:
                pending.pop(case.operation.label, None)
            elif case.operation.label in pending:
                pending[case.operation.label] = answer.text

        check()
    assert {200, 404, 415, 422} <= statuses
    assert pending == {}  # each was answered as asked at least once; else how it was refused
    assert "Traceback" not in service.log.read_text()


def test_invalid_requests_are_refused(service: Running) -> None:
    statuses = set()
    for operation in _operations(service):

        @few
        @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        def check(case: Any) -> None:
            statuses.add(case.call_and_validate(timeout=120, excluded_checks=UNDECLARED).status_code)

        with suppress(Unsatisfiable):  # an operation without input has no invalid request
            check()
    assert 422 in statuses
    assert max(statuses) < 500
    assert "Traceback" not in service.log.read_text()


def test_a_note_has_lines_and_no_nul(service: Running) -> None:
    ann = enroll(service.client, "Ann", photo(ANN, 1)).json()["person"]["id"]
    changed = service.client.patch(f"/api/v1/persons/{ann}", json={"name": "Ann", "note": "a\0b"})
    assert "note" in check_problem(changed, 422)
    lines = {"name": "Ann", "note": "two\nlines"}
    assert service.client.patch(f"/api/v1/persons/{ann}", json=lines).json()["note"] == "two\nlines"
