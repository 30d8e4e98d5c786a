"""Download a file over HTTP; an interrupted download resumes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from tqdm import tqdm

from facerec.errors import ModelError
from facerec.runtime.os_errors import naming

_TRIES = 3  # without a byte of progress
_TIMEOUT = (10, 60)  # seconds: to connect, and between two pieces
_PIECE = 2**16


class SourceError(ModelError):
    """A source that does not give what it should; the next one is tried."""


def download(url: str, file: Path, title: str, auth: tuple[str, str] | None = None) -> None:
    """Write what is at `url` to `file`, with a progress bar.

    It is collected in `file` with the suffix `.part`, which the next call goes on with where the server can.

    Args:
        url: http or https; may hold credentials. Else those of the user's netrc count.
        file: where to; replaced.
        title: of the progress bar.
        auth: user and password.

    Raises:
        SourceError: the server can't be reached, refuses, or cuts the connection again and again.
        OSError: the disk refuses.
    """
    part = file.with_name(f"{file.name}.part")
    tries = 0
    while True:
        before = _length(part)
        try:
            _collect(url, part, title, auth)
            break
        except requests.RequestException as error:
            tries = 0 if _length(part) > before else tries + 1
            if tries == _TRIES or not isinstance(error, _PASSING):
                raise SourceError(_reason(error)) from error
    part.replace(file)


@contextmanager
def session() -> Iterator[requests.Session]:
    """Requests with the user's proxies, netrc and certificates."""
    with requests.Session() as opened:
        certificates = (os.environ.get(name) for name in ("SSL_CERT_FILE", "PIP_CERT"))
        opened.verify = next(filter(None, certificates), True)  # REQUESTS_CA_BUNDLE, which requests reads, wins
        yield opened


_PASSING = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def _collect(url: str, part: Path, title: str, auth: tuple[str, str] | None) -> None:
    """Get what is missing of `part`, or all of it if the server can't begin in the middle."""
    have = _length(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with session() as opened, opened.get(url, headers=headers, auth=auth, stream=True, timeout=_TIMEOUT) as answer:
        if answer.status_code == 416:  # it has no byte there
            if answer.headers.get("Content-Range") == f"bytes */{have}":
                return  # because nothing is missing
            part.unlink()
            raise requests.ConnectionError("the half was none of this file")
        if not answer.ok:
            raise SourceError(f"the server answers {answer.status_code} {answer.reason}")
        goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        length = answer.headers.get("Content-Length")
        bar: dict[str, Any] = {"desc": title, "unit": "B", "unit_scale": True, "leave": False}
        bar |= {"initial": have if goes_on else 0, "total": int(length) + have * goes_on if length else None}
        with naming(part), part.open("ab" if goes_on else "wb") as output, tqdm(**bar) as progress:
            for piece in answer.iter_content(_PIECE):
                output.write(piece)
                progress.update(len(piece))


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _reason(error: requests.RequestException) -> str:
    """One line, without the credentials that an address may hold."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted; set SSL_CERT_FILE to your network's"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses"
    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut again and again; the same command goes on where it stopped"
    if isinstance(error, requests.ConnectionError):
        return "it can't be reached"
    return type(error).__name__
