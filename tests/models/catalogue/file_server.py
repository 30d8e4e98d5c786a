"""A server of files that can begin in the middle, cut the connection and ask for a password."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


class FileServer(ThreadingHTTPServer):
    """Serves `files`, a path → content mapping; `types` gives content types.

    Attributes:
        cut_after: bytes of an answer after which the connection is cut; None: never.
        ranges: whether it can begin in the middle.
        auth: what the Authorization header must be; None: anybody may come.
        visits: path and Range header of each request, in order.
        open: answers wait until it is set.
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(files)
        self.types: dict[str, str] = {}
        self.cut_after: int | None = None
        self.ranges = True
        self.auth: str | None = None
        self.visits: list[tuple[str, str | None]] = []
        self.open = Event()
        self.open.set()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.visits.append((self.path, wanted))
        server.open.wait()
        if server.auth and self.headers.get("Authorization") != server.auth:
            self.send_error(401)
            return
        if self.path not in server.files:
            self.send_error(404)
            return
        content, start = server.files[self.path], 0
        if wanted and server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", server.types.get(self.path, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: server.cut_after])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[FileServer]:
    """A server of these files, on a port of its own."""
    with FileServer(files) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
