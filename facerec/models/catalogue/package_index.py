"""Find a wheel in a package index, by the simple API as HTML (PEP 503) or JSON (PEP 691)."""

import re
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

import requests

from facerec.models.catalogue.download import SourceError, session

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


class Wheel(NamedTuple):
    """Where a wheel lies.

    Attributes:
        url: of the file.
        auth: user and password, if the index has some and the file lies on the same host.
    """

    url: str
    auth: tuple[str, str] | None


def find_wheel(index: str, filename: str) -> Wheel:
    """The wheel of this file name in the index.

    Raises:
        SourceError: the index can't be reached, or has no such file.
    """
    try:
        parts = urlsplit(index)
    except ValueError as error:
        raise SourceError(f"an address of an index that is set for pip or uv can't be read ({error})") from error
    if parts.scheme not in ("http", "https"):
        raise SourceError(f"{printable(index)} is not an index on the web")
    package = re.sub(r"[-_.]+", "-", filename.split("-")[0]).lower()
    auth = (unquote(parts.username or ""), unquote(parts.password or ""))
    page = f"{printable(index)}/{package}/"
    try:
        with session() as opened:
            answer = opened.get(page, headers={"Accept": _ACCEPT}, auth=auth if any(auth) else None, timeout=30)
            if not answer.ok:
                raise SourceError(f"{printable(index)} answers {answer.status_code} for {package}")
            files = _of_json(answer) if "json" in answer.headers.get("Content-Type", "") else _of_html(answer)
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:  # or JSON of another form
        raise SourceError(f"{printable(index)} can't be read ({type(error).__name__})") from error
    if filename not in files:
        raise SourceError(f"{printable(index)} has no {filename}")
    url = urljoin(answer.url, files[filename])
    same_host = urlsplit(url)[:2] == urlsplit(page)[:2]  # and the same scheme
    return Wheel(url, auth if any(auth) and same_host else None)


def _of_json(answer: requests.Response) -> dict[str, str]:
    """File name → address."""
    return {file["filename"]: file["url"] for file in answer.json()["files"]}


def _of_html(answer: requests.Response) -> dict[str, str]:
    """File name → address, without the hash that may follow it: what we want of the wheel has one of its own."""
    parser = _Links()
    parser.feed(answer.text)
    urls = [urldefrag(link).url for link in parser.links]
    return {unquote(urlsplit(url).path.rpartition("/")[2]): url for url in urls}


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for key, value in attrs if tag == "a" and key == "href" and value]


def printable(address: str) -> str:
    """An address without the credentials that it may hold."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
