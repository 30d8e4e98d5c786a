"""Requests generated from the OpenAPI document by schemathesis: every answer is one that it declares."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.web.conftest import ANN, Running, check_problem, enroll, photo

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


@pytest.mark.slow
def test_valid_requests_get_declared_answers(service: Running) -> None:
    real, statuses = photo(ANN, 1), set()
    ann = enroll(service.client, "Ann", real).json()["person"]["id"]
    for operation in _operations(service):

        @few
        @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        def check(case: Any) -> None:
            statuses.add(case.call_and_validate(timeout=120, excluded_checks=UNDECLARED).status_code)
            # once more with a person and a photo that exist
            if "person" in case.path_parameters:
                case.path_parameters["person"] = ann
            if isinstance(case.body, dict) and {"photo", "photos"} & case.body.keys():
                case.body.update({"photo": real} if "photo" in case.body else {"photos": [real]})
            statuses.add(case.call_and_validate(timeout=120, excluded_checks=UNDECLARED).status_code)

        check()
    assert {200, 404, 415, 422} <= statuses
    assert "Traceback" not in service.log.read_text()


def test_invalid_requests_are_refused(service: Running) -> None:
    statuses = set()
    for operation in _operations(service):

        @few
        @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        def check(case: Any) -> None:
            statuses.add(case.call_and_validate(timeout=120).status_code)

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
