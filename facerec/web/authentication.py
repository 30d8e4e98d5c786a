"""Who is asking, what they may, and how often."""

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
_OPEN = ("/static/", "/docs", "/openapi.json", "/sign-in", "/api/v1/health", "/api/v1/ready")
_ASKS = ("/api/v1/identify", "/api/v1/preview", "/sign-out")  # what is sent but changes nothing


class Who(NamedTuple):
    """Who asks: the name for the audit, and whether they may change the gallery."""

    name: str
    admin: bool


class Access:
    """The door.

    Args:
        keys: none means that everybody who reaches the service may do everything, as on one's own machine.
        rate: of one key, as in "600/minute".
    """

    def __init__(self, keys: Sequence[Key], rate: str) -> None:
        self.keys = list(keys)
        self._rate = parse(rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._sessions: dict[str, tuple[float, Key]] = {}

    def admit(self, request: Request) -> Who | None:
        """Who it is; None where nobody need say.

        Raises:
            Problem: 401 without a key, 403 with one that is not enough, 429 too often.
        """
        path = request.url.path
        if path.startswith(_OPEN):
            if request.method == "POST":
                self._count(f"address {_address(request)}")
            return None
        if not self.keys:
            self._count("everybody")
            return Who(f"page@{_address(request)}", True)
        key = self._key(request)
        if key is None:
            self._count(f"address {_address(request)}")
            detail = "a key is needed: send `Authorization: Bearer KEY`, or sign in on the page"
            raise Problem(401, detail, {"WWW-Authenticate": "Bearer"})
        self._count(f"key {key.name}")
        if key.role != "admin" and request.method not in ("GET", "HEAD", "OPTIONS") and path not in _ASKS:
            raise Problem(403, "this key may look and identify, and not change the gallery")
        return Who(f"key {key.name}", key.role == "admin")

    def sign_in(self, given: str) -> str | None:
        """A new session's secret for the cookie; None for a wrong key."""
        key = find_key(self.keys, given)
        if key is None:
            return None
        now = time.monotonic()
        self._sessions = {one: old for one, old in self._sessions.items() if old[0] > now}
        session = secrets.token_urlsafe(32)
        self._sessions[session] = (now + HOURS * 3600, key)
        return session

    def sign_out(self, request: Request) -> None:
        """End the session of a browser."""
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)

    def _key(self, request: Request) -> Key | None:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return find_key(self.keys, given.strip())
        until, key = self._sessions.get(request.cookies.get(COOKIE, ""), (0.0, None))
        return key if until > time.monotonic() else None

    def _count(self, who: str) -> None:
        if not self._limiter.hit(self._rate, who):
            wait = max(1, round(self._limiter.get_window_stats(self._rate, who).reset_time - time.time()))
            raise Problem(429, f"more than {self._rate}; wait a little", {"Retry-After": str(wait)})


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
