"""Check host, origin, key, rate and size of every request, and set the security headers of every answer."""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facerec.web.authentication import Authenticator
from facerec.web.limits import Limits
from facerec.web.metrics import Metrics
from facerec.web.problems import EXAMPLE, Problem, busy

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self' blob:; media-src blob: 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers hide the Origin of our own forms
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE = ("GET", "HEAD", "OPTIONS")
_PHOTO_PATHS = tuple(f"/api/v1/{name}" for name in ("identify", "preview", "detect", "embed", "compare", "samples"))
_SMALL = 2**16  # bytes of a request without photos
_DISCONNECTED = 499  # counted in the metrics for clients that hung up while sending
_FULL_REQUESTS = 4  # of the largest size, may be held in memory at a time


class RequestMiddleware:
    """The outermost ASGI middleware.

    Args:
        app: answers what is let through.
        authenticator: identifies the caller.
        limits: of requests.
        metrics: counts the requests.
        hosts: accepted host names, against DNS rebinding; None: any.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Authenticator,
        limits: Limits,
        metrics: Metrics,
        hosts: Sequence[str] | None,
    ) -> None:
        self._app, self._authenticator, self._limits = app, authenticator, limits
        self._metrics, self._hosts = metrics, hosts
        self._requests = self._bytes = 0  # in progress, and held in memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, began, status, answered = Request(scope, receive), time.perf_counter(), 500, False

        async def finish(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-cache" if "/static/" in scope["path"] else "no-store")
            await send(message)

        reserved = 0
        self._requests += 1
        self._metrics.at_work.inc()
        try:
            self._check(request)
            scope.setdefault("state", {})["caller"] = self._authenticator.authenticate(request)
            reserved = self._reserve(request)
            body = await self._body(request)
            await self._app(scope, _replay(body, receive), finish)
        except Problem as problem:
            if not answered:
                await _refusal(request, problem)(scope, receive, finish)
        except ClientDisconnect:
            status = _DISCONNECTED
        finally:
            self._requests -= 1
            self._metrics.at_work.dec()
            self._bytes -= reserved
            route = scope.get("route")
            self._metrics.answered(getattr(route, "path", "other"), status, time.perf_counter() - began)

    def _check(self, request: Request) -> None:
        host = urlsplit(f"//{request.headers.get('Host', '')}")
        if self._hosts is not None and _name(host.netloc) not in self._hosts:
            raise Problem(421, f"unknown host name; this service answers to {', '.join(self._hosts)}")
        if request.method not in _SAFE and _is_foreign(request, host.netloc):
            raise Problem(403, "requests from pages of other sites are refused")
        if request.method == "POST" and request.url.path in _PHOTO_PATHS:
            media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if media_type != "multipart/form-data":
                instead = f", not as {media_type}" if media_type else ""
                raise Problem(415, f"send photos as files, {EXAMPLE}{instead}")
        if self._requests > self._limits.requests:
            raise busy("too many requests are in progress; try again in a moment")

    def _reserve(self, request: Request) -> int:
        """Reserve memory for the body; returns how many bytes."""
        limit = self._limit(request)
        unknown = limit if "Transfer-Encoding" in request.headers else 0
        try:
            length = int(request.headers.get("Content-Length", unknown))
        except ValueError:
            raise Problem(400, "Content-Length is not a number") from None
        if length > limit:
            cure = "; send smaller photos, or fewer" if request.url.path in _PHOTO_PATHS else ""
            raise Problem(413, f"the request is larger than {limit:,} bytes{cure}")
        if length > _SMALL and self._bytes + length > _FULL_REQUESTS * self._limits.body_bytes:
            raise busy("too many uploads are in progress; try again in a moment")
        self._bytes += length
        return length

    async def _body(self, request: Request) -> bytes:
        limit, body = self._limit(request), bytearray()
        try:
            async with asyncio.timeout(self._limits.upload_seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit:
                        raise Problem(413, f"the request is larger than {limit:,} bytes")
        except TimeoutError:
            detail = f"the request took more than {self._limits.upload_seconds:g} seconds to arrive"
            raise Problem(408, detail, {"Connection": "close"}) from None
        return bytes(body)

    def _limit(self, request: Request) -> int:
        path = request.url.path
        if path == "/api/v1/samples":
            return self._limits.body_bytes
        photos = 2 if path == "/api/v1/compare" else path in _PHOTO_PATHS or path.endswith("/denials")
        return photos * self._limits.photo_bytes + _SMALL


def _is_foreign(request: Request, host: str) -> bool:
    """Whether a page of another site sent this (CSRF): its forms carry our cookie, and reach loopback.

    Sec-Fetch-Site decides where browsers send it, over https and to loopback; else Origin, which they send over
    plain http too. Programs send neither.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc != host


def _name(netloc: str) -> str:
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _refusal(request: Request, problem: Problem) -> Response:
    if problem.status == 401 and request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        return RedirectResponse("/sign-in", 303)
    return problem.response()


def _replay(body: bytes, receive: Receive) -> Receive:
    replayed = False

    async def replay() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
