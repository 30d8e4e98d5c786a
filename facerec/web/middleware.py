"""What stands in front of every request: host, origin, key, rate and size, and headers on every answer."""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facerec.web.authentication import Access
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
_PHOTOS = ("/api/v1/identify", "/api/v1/preview", "/api/v1/samples")
_SMALL = 2**16  # bytes of a request without photos
_GONE = 499  # how the metrics count who hung up while sending
_AT_ONCE = 4  # requests full of photos that may lie in memory


class Guard:
    """ASGI middleware, outermost.

    Args:
        app: what is guarded.
        access: the door.
        limits: of requests.
        metrics: to count in.
        hosts: names the service is asked by; others may be a page that had its name point here. None: any.
    """

    def __init__(
        self, app: ASGIApp, access: Access, limits: Limits, metrics: Metrics, hosts: Sequence[str] | None
    ) -> None:
        self._app, self._access, self._limits, self._metrics, self._hosts = app, access, limits, metrics, hosts
        self._requests = self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it as a problem."""
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

        held = 0
        self._requests += 1
        self._metrics.at_work.inc()
        try:
            self._check(request)
            scope.setdefault("state", {})["who"] = self._access.admit(request)
            held = await self._reserve(request)
            body = await self._body(request)
            await self._app(scope, _replay(body, receive), finish)
        except Problem as problem:
            if not answered:
                await _refusal(request, problem)(scope, receive, finish)
        except ClientDisconnect:
            status = _GONE  # nobody is there to be answered
        finally:
            self._requests -= 1
            self._metrics.at_work.dec()
            self._bytes -= held
            route = scope.get("route")
            self._metrics.answered(getattr(route, "path", "other"), status, time.perf_counter() - began)

    def _check(self, request: Request) -> None:
        host = urlsplit(f"//{request.headers.get('Host', '')}")
        if self._hosts is not None and _name(host.netloc) not in self._hosts:
            raise Problem(421, f"this service is not called so; it answers to {', '.join(self._hosts)}")
        if request.method not in _SAFE and _is_foreign(request, host.netloc):
            raise Problem(403, "the request comes from a page of another address than this service's")
        if request.method == "POST" and request.url.path in _PHOTOS:
            kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind != "multipart/form-data":
                raise Problem(415, f"send photos as files, {EXAMPLE}" + (f", and not as {kind}" if kind else ""))
        if self._requests > self._limits.requests:
            raise busy("too many requests at once; try again in a moment")

    async def _reserve(self, request: Request) -> int:
        """Room for the body in memory; returns how much."""
        most, cure = self._most(request), "; send smaller photos, or fewer" if request.url.path in _PHOTOS else ""
        try:
            announced = int(
                request.headers.get("Content-Length", most if "Transfer-Encoding" in request.headers else 0)
            )
        except ValueError:
            raise Problem(400, "Content-Length is no number") from None
        if announced > most:
            raise Problem(413, f"the request has more than {most:,} bytes{cure}")
        if announced > _SMALL and self._bytes + announced > _AT_ONCE * self._limits.body_bytes:
            raise busy("too much is being uploaded; try again in a moment")
        self._bytes += announced
        return announced

    async def _body(self, request: Request) -> bytes:
        most, body = self._most(request), bytearray()
        try:
            async with asyncio.timeout(self._limits.upload_seconds):
                async for part in request.stream():
                    body += part
                    if len(body) > most:
                        raise Problem(413, f"the request has more than {most:,} bytes")
        except TimeoutError:
            detail = f"the request took more than {self._limits.upload_seconds:g} seconds to arrive"
            raise Problem(408, detail, {"Connection": "close"}) from None
        return bytes(body)

    def _most(self, request: Request) -> int:
        if request.url.path == "/api/v1/samples":
            return self._limits.body_bytes
        return self._limits.photo_bytes + _SMALL if request.url.path in _PHOTOS else _SMALL


def _is_foreign(request: Request, host: str) -> bool:
    """Whether a page of another address sent this: its forms carry our cookie, and reach loopback.

    Sec-Fetch-Site decides where browsers send it, which is by https and to loopback; else Origin, which they send
    by plain http too. Programs send neither.
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
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
