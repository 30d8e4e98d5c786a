"""Authenticate callers, check what their key permits, and limit their rate."""

import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from facerec.web.keys import Key, find_key
from facerec.web.problems import Problem

COOKIE = "facerec"
HOURS = 12  # that a browser stays signed in
_PUBLIC = ("/static/", "/docs", "/openapi.json", "/sign-in", "/api/v1/health", "/api/v1/ready")
_READ_ONLY_POSTS = ("/api/v1/identify", "/api/v1/preview", "/sign-out")


class Caller(NamedTuple):
    """Who sent a request: the name for the audit, and whether they may change the gallery."""

    name: str
    admin: bool


class Authenticator:
    """Checks keys, sessions of browsers, and rates.

    Args:
        keys: without any, everybody who reaches the service may do everything, as on one's own machine.
        rate: requests allowed for each key, as in "600/minute".
    """

    def __init__(self, keys: Sequence[Key], rate: str) -> None:
        self.keys = list(keys)
        self._rate = parse(rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._sessions: dict[str, tuple[float, Key]] = {}  # end and key, by the cookie's secret

    def authenticate(self, request: Request) -> Caller | None:
        """The caller; None at public addresses.

        Raises:
            Problem: 401 without a valid key, 403 with a key that does not permit it, 429 above the rate limit.
        """
        path = request.url.path
        if path.startswith(_PUBLIC):
            if request.method == "POST":
                self._count(f"address {_address(request)}")
            return None
        if not self.keys:
            self._count("everybody")
            return Caller(f"page@{_address(request)}", True)
        key = self._key(request)
        if key is None:
            self._count(f"address {_address(request)}")
            detail = "a key is required: send `Authorization: Bearer KEY`, or sign in on the page"
            raise Problem(401, detail, {"WWW-Authenticate": "Bearer"})
        self._count(f"key {key.name}")
        changes = request.method not in ("GET", "HEAD", "OPTIONS") and path not in _READ_ONLY_POSTS
        if changes and key.role != "admin":
            raise Problem(403, "this key may only read; changing the gallery requires an admin key")
        return Caller(f"key {key.name}", key.role == "admin")

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
