"""Authenticate callers, check what their key permits, and limit their rate."""

import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from facerec.errors import ConfigError
from facerec.web.keys import Key, find_key
from facerec.web.problems import Problem

DEFAULT_GALLERY = "default"  # name of the gallery at gallery.url
COOKIE = "facerec"
HOURS = 12  # that a browser stays signed in
_PUBLIC = ("/static/", "/docs", "/openapi.json", "/sign-in", "/api/v1/health", "/api/v1/ready")
_READ_ONLY_POSTS = (
    *(f"/api/v1/{name}" for name in ("identify", "preview", "detect", "embed", "compare")),
    "/sign-out",
)


class Caller(NamedTuple):
    """Who sent a request, and for which gallery.

    Attributes:
        name: for the audit.
        admin: whether they may change the gallery.
        gallery: name of the one that the request is for.
        galleries: names of those that they may open.
    """

    name: str
    admin: bool
    gallery: str
    galleries: tuple[str, ...]


class Authenticator:
    """Checks keys, sessions of browsers, and rates.

    Args:
        keys: without any, everybody who reaches the service may do everything, as on one's own machine.
        rate: requests allowed for each key, as in "600/minute".
        galleries: names of all galleries; the first one is meant where a request names none.

    Raises:
        ConfigError: a key opens a gallery that does not exist.
    """

    def __init__(self, keys: Sequence[Key], rate: str, galleries: Sequence[str] = (DEFAULT_GALLERY,)) -> None:
        self.keys, self._galleries = list(keys), tuple(galleries)
        for key in keys:
            if unknown := set(key.galleries).difference(galleries):
                raise ConfigError(
                    f"key_file: the key {key.name} opens {', '.join(sorted(unknown))}, but the galleries are "
                    f"{', '.join(galleries)}; add it to galleries=, or correct the line of the key"
                )
        self._rate = parse(rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._sessions: dict[str, tuple[float, Key]] = {}  # end and key, by the cookie's secret

    def authenticate(self, request: Request) -> Caller | None:
        """The caller; None at public addresses.

        Raises:
            Problem: 401 without a valid key, 403 with a key that does not permit it, 404 if there is no such
                gallery, 429 above the rate limit.
        """
        path = request.url.path
        if path.startswith(_PUBLIC):
            if request.method == "POST":
                self._count(f"address {_address(request)}")
            return None
        if not self.keys:
            self._count("everybody")
            return self._caller(request, f"page@{_address(request)}", admin=True, opens=())
        key = self._key(request)
        if key is None:
            self._count(f"address {_address(request)}")
            detail = "a key is required: send `Authorization: Bearer KEY`, or sign in on the page"
            raise Problem(401, detail, {"WWW-Authenticate": "Bearer"})
        self._count(f"key {key.name}")
        changes = request.method not in ("GET", "HEAD", "OPTIONS") and path not in _READ_ONLY_POSTS
        if changes and key.role != "admin":
            raise Problem(403, "this key may only read; changing the gallery requires an admin key")
        return self._caller(request, f"key {key.name}", admin=key.role == "admin", opens=key.galleries)

    def sign_in(self, secret: str) -> str | None:
        """Start a session; returns its secret for the cookie, or None if the key is wrong."""
        key = find_key(self.keys, secret)
        if key is None:
            return None
        now = time.monotonic()
        self._sessions = {token: session for token, session in self._sessions.items() if session[0] > now}
        token = secrets.token_urlsafe(32)
        self._sessions[token] = (now + HOURS * 3600, key)
        return token

    def sign_out(self, request: Request) -> None:
        """End the session of a browser."""
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)

    def _caller(self, request: Request, name: str, *, admin: bool, opens: Sequence[str]) -> Caller:
        galleries = tuple(gallery for gallery in self._galleries if not opens or gallery in opens)
        gallery = request.query_params.get("gallery", galleries[0])
        if gallery not in galleries:
            if opens:  # whether it exists is not told
                raise Problem(403, "this key does not open this gallery; /api/v1/galleries lists those it opens")
            raise Problem(404, "there is no gallery of this name; /api/v1/galleries lists them")
        return Caller(name, admin, gallery, galleries)

    def _key(self, request: Request) -> Key | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return find_key(self.keys, secret.strip())
        end, key = self._sessions.get(request.cookies.get(COOKIE, ""), (0.0, None))
        return key if end > time.monotonic() else None

    def _count(self, caller: str) -> None:
        if not self._limiter.hit(self._rate, caller):
            reset = self._limiter.get_window_stats(self._rate, caller).reset_time
            wait = max(1, round(reset - time.time()))
            detail = f"the rate limit of {self._rate} is exceeded; try again in {wait} s"
            raise Problem(429, detail, {"Retry-After": str(wait)})


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
