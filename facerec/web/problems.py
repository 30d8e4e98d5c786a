"""Every error is a problem detail (RFC 9457): `application/problem+json` with a title and what to do."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from facerec.errors import GalleryError, TakenError, UnknownPersonError

log = logging.getLogger(__name__)


EXAMPLE = "as in `curl -F photo=@party.jpg`"
# what each field wants, for whoever sent something else; by the names that api.py gives them
WANTED = {
    "photo": f"send one picture as a file, {EXAMPLE}",
    "photos": "send pictures as files, as in `curl -F photos=@a.jpg -F photos=@b.jpg`",
    "name": "send what the person is called, as one line of text",
    "note": "send text of at most 2,000 characters and without NUL, or leave it out",
    "face": "send the number of a face in the photo, 1 or more, or leave it out",
    "ask": "send true or false, or leave it out",
    "far": "send a number above 0 and below 1, such as 0.01, or leave it out",
    "top": "send a whole number from 1 to 20, or leave it out",
    "person": "put a person's id into the address, as /api/v1/persons lists it",
    "into": "send the id of the other person, as /api/v1/persons lists it",
    "key": "send the key as text",
}
_JSON = "send a JSON object in UTF-8, with `Content-Type: application/json`"


class ProblemDetail(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An answer that is no success.

    Args:
        status: of HTTP.
        detail: one sentence for people: what, and the cure. Never the content of a photo.
        headers: such as Retry-After.
        kind: where a program is to tell it from others of that status.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, kind: str = "about:blank"
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.kind = status, detail, dict(headers or {}), kind

    def response(self) -> JSONResponse:
        """It as an answer."""
        title = HTTPStatus(self.status).phrase
        content = ProblemDetail(type=self.kind, title=title, status=self.status, detail=self.detail)
        return JSONResponse(
            content.model_dump(), self.status, headers=self.headers, media_type="application/problem+json"
        )


def busy(detail: str) -> Problem:
    """503: come again in a second."""
    return Problem(503, detail, {"Retry-After": "1"})


def install(app: FastAPI) -> None:
    """Answer whatever is raised in `app` as a problem."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return Problem(error.status_code, _said(request, error), error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # of several photos each may be wrong, and one sentence is enough
        return Problem(422, ". ".join(dict.fromkeys(_wanted(one) for one in error.errors()))).response()

    @app.exception_handler(GalleryError)
    async def _gallery(request: Request, error: GalleryError) -> JSONResponse:
        if isinstance(error, UnknownPersonError):
            return Problem(404, "nobody of that number is enrolled").response()
        if isinstance(error, TakenError):
            return Problem(409, str(error)).response()
        # the reason names a folder or a server, and is for the log; PostgreSQL's second line may hold a row
        log.error("the gallery refuses: %s", str(error).partition("\n")[0])
        said = "the gallery can't be used now; the service's log says why"
        return Problem(503, said, {"Retry-After": "10"}).response()

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        return Problem(500, "an error of the service, which its log tells of").response()


def _wanted(error: Mapping[str, Any]) -> str:
    """Which field is wrong and what to send; what was given is not repeated: it may be a photo, or a name."""
    field = next((part for part in error["loc"] if part in WANTED), None)
    if field is None:
        return f"the body: {_JSON}"
    if field == "name" and error["type"] == "value_error":
        return f"name: {error['ctx']['error']}"
    return f"{field}: {'missing or empty; ' if error['type'] == 'missing' else ''}{WANTED[field]}"


def _said(request: Request, error: HTTPException) -> str:
    """What Starlette refuses, in a sentence."""
    if error.status_code == 404:
        return "there is nothing at this address; /docs describes the API"
    if error.status_code == 405:
        return f"{request.method} is not answered at this address; /docs describes the API"
    if error.status_code == 400 and "multipart" in request.headers.get("Content-Type", ""):
        reason = str(error.detail).rstrip(".")
        return f"the form can't be read ({reason}); send photos as files, {EXAMPLE}"
    return f"the body can't be read; {_JSON}" if error.status_code == 400 else str(error.detail)
