"""Every error is a problem detail (RFC 9457): `application/problem+json` with a title and what to do."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from facerec.errors import GalleryError, TakenError, UnknownPersonError

log = logging.getLogger(__name__)


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
        return Problem(error.status_code, str(error.detail), error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # what was given is not repeated: it may be a photo, or a name
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return Problem(422, said).response()

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
