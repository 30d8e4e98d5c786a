"""nginx, configured as in docs/web.md."""

import re
import shutil
import socket
import subprocess
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.web.conftest import Running

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="no nginx on the PATH: apt-get install nginx-light")
NAME = "faces.example.org"


@contextmanager
def nginx(service: Running, folder: Path) -> Iterator[int]:
    """Run it in front of a service, with its files in `folder`; yields its https port on 127.0.0.1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    pair = ["-keyout", str(folder / "own.key"), "-out", str(folder / "own.crt"), "-subj", f"/CN={NAME}"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *pair], check=True)
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi"))
    http = f"access_log off;\n{paths}{_server_block(port, service, folder)}"
    config = folder / "nginx.conf"
    config.write_text(f"daemon off; pid {folder}/pid; events {{}}\nhttp {{\n{http}\n}}\n")
    assert NGINX
    process = subprocess.Popen([NGINX, "-c", config, "-e", folder / "error.log"])
    try:
        end = time.monotonic() + 30
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < end, (folder / "error.log").read_text()
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _server_block(port: int, service: Running, folder: Path) -> str:
    """The server block of the page, with the port, certificate and address of this test."""
    page = (Path(__file__).parents[2] / "docs" / "web.md").read_text()
    [example] = re.findall(r"^    server \{\n.*?^    \}\n", page, re.DOTALL | re.MULTILINE)
    block = textwrap.dedent(example)
    for old, new in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "ssl_certificate …; ssl_certificate_key …;": (
            f"ssl_certificate {folder}/own.crt; ssl_certificate_key {folder}/own.key;"
        ),
        "http://127.0.0.1:8000": service.url,
    }.items():
        assert old in block
        block = block.replace(old, new)
    return block
