"""Errors as problem details (RFC 9457): `application/problem+json` that says what is wrong and what to do."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from facerec.errors import (
    AmbiguousNameError,
    GalleryError,
    TakenError,
    UndoError,
    UnknownGroupError,
    UnknownPersonError,
    UnknownSampleError,
)

log = logging.getLogger(__name__)

AMBIGUOUS = "urn:facerec:ambiguous"  # the type of the problem that several persons have a name
TAKEN = "urn:facerec:taken"  # and that a crop is enrolled as somebody else

EXAMPLE = "as in `curl -F photo=@party.jpg`"
# what to send in each field, by the names in api.py
WANTED = {
    "photo": f"send one photo as a file, {EXAMPLE}",
    "other": "send a second photo as a file, as in `curl -F photo=@a.jpg -F other=@b.jpg`",
    "photos": "send photos as files, as in `curl -F photos=@a.jpg -F photos=@b.jpg`",
    "name": "send the person's name as one line of text",
    "note": "send text of at most 2,000 characters without NUL, or leave it out",
    "face": "send the number of a face in the photo, 1 or more, or leave it out",
    "faces": "send largest or all, or leave it out",
    "ask": "send true or false, or leave it out",
    "far": "send a number above 0 and below 1, such as 0.01, or leave it out",
    "top": "send a whole number from 1 to 20, or leave it out",
    "person": "put a person's id into the address, as listed by /api/v1/persons",
    "to": "send the id of a person, as listed by /api/v1/persons, or leave it out",
    "new": "send true or false, or leave it out",
    "ignored": "send true or false, or leave it out",
    "sample": "send the SHA-256 of a sample's crop, or leave it out",
    "samples": "send a list of the SHA-256 of samples' crops",
    "crop": "put the SHA-256 of a sample's crop into the address",
    "least": "send a whole number from 1 to 100, or leave it out",
    "limit": "send a whole number from 1 to 1,000, or leave it out",
    "ignore": "send true or false, or leave it out",
    "group": "put a group's id into the address, as listed by /api/v1/unknown",
    "change_id": "put a change's id into the address, as listed by /api/v1/changes",
    "into": "send the id of the other person, as listed by /api/v1/persons",
    "gallery": "name a gallery, as listed by /api/v1/galleries, or leave it out",
    "key": "send the key as text",
}
_DESCRIPTIONS = {
    400: "The request is malformed.",
    401: "The key is missing or wrong.",
    403: "The key does not permit this or does not open this gallery, or the request comes from another site.",
    404: "There is no such person, sample or gallery.",
    408: "The request took too long to arrive.",
    409: "The name or photo belongs to another person; or, with `ask`, a face does not look like the person of "
    "that name (`type` is urn:facerec:unlike).",
    413: "The request or a photo is too large.",
    415: "This is not a photo in a supported format.",
    421: "The Host header is not a name of this service.",
    422: "A field or photo is invalid.",
    429: "The rate limit is exceeded; Retry-After says how long to wait.",
    503: "The service is busy or the gallery unavailable; Retry-After says how long to wait.",
}
_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetail"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": _CONTENT} for status, description in _DESCRIPTIONS.items()
}
_JSON = "send a JSON object in UTF-8, with `Content-Type: application/json`"


class ProblemDetail(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An error answer.

    Args:
        status: HTTP status.
        detail: one sentence for people: what is wrong and what to do. Never the content of a photo.
        headers: such as Retry-After.
        kind: URI of the problem's type, where programs must tell it from others of that status.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, kind: str = "about:blank"
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.kind = status, detail, dict(headers or {}), kind

    def response(self) -> JSONResponse:
        """The HTTP response."""
        title = HTTPStatus(self.status).phrase
        content = ProblemDetail(type=self.kind, title=title, status=self.status, detail=self.detail)
        return JSONResponse(
            content.model_dump(), self.status, headers=self.headers, media_type="application/problem+json"
        )


def busy(detail: str) -> Problem:
    """503, with a second to wait."""
    return Problem(503, detail, {"Retry-After": "1"})


def install(app: FastAPI) -> None:
    """Answer every exception raised in `app` with a problem."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return Problem(error.status_code, _http_detail(request, error), error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # several photos may share one fault: say each sentence once
        sentences = dict.fromkeys(_field_detail(fault) for fault in error.errors())
        return Problem(422, ". ".join(sentences)).response()

    @app.exception_handler(GalleryError)
    async def _gallery(request: Request, error: GalleryError) -> JSONResponse:
        if isinstance(error, UnknownPersonError):
            return Problem(404, "no person with this id is enrolled").response()
        if isinstance(error, UnknownSampleError | UnknownGroupError):
            return Problem(404, str(error)).response()
        if isinstance(error, AmbiguousNameError):
            return Problem(409, str(error), kind=AMBIGUOUS).response()
        if isinstance(error, TakenError):
            return Problem(409, str(error), kind=TAKEN).response()
        if isinstance(error, UndoError):
            return Problem(409, str(error)).response()
        # the reason may name a folder or a server: log only; PostgreSQL's second line may hold a row: drop it
        log.error("gallery error: %s", str(error).partition("\n")[0])
        detail = "the gallery is unavailable; the service's log says why"
        return Problem(503, detail, {"Retry-After": "10"}).response()

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        return Problem(500, "internal error; the service's log says more").response()


def _field_detail(error: Mapping[str, Any]) -> str:
    """Which field is wrong and what to send; the value is not repeated, as it may be a photo or a name."""
    field = next((part for part in error["loc"] if part in WANTED), None)
    if field is None:
        return f"the body: {_JSON}"
    if field == "name" and error["type"] == "value_error":
        return f"name: {error['ctx']['error']}"
    return f"{field}: {'missing or empty; ' if error['type'] == 'missing' else ''}{WANTED[field]}"


def _http_detail(request: Request, error: HTTPException) -> str:
    """What Starlette refused, in a sentence."""
    if error.status_code == 404:
        return "there is nothing at this address; /docs describes the API"
    if error.status_code == 405:
        return f"{request.method} is not supported at this address; /docs describes the API"
    if error.status_code == 400 and "multipart" in request.headers.get("Content-Type", ""):
        reason = str(error.detail).rstrip(".")
        return f"the form can't be read ({reason}); send photos as files, {EXAMPLE}"
    return f"the body can't be read; {_JSON}" if error.status_code == 400 else str(error.detail)
