"""Behind nginx as docs/web.md writes it, on a PostgreSQL server with a replica."""

import re
import shutil
import socket
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.gallery.conftest import TcpServer, make_server
from tests.web.conftest import ANN, CLEO, Running, Start, check_problem, enroll, identify, photo

__all__ = ["make_server"]  # a fixture
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx on the PATH: apt-get install nginx-light")
NAME = "faces.example.org"


def _server_block(port: int, service: Running, folder: Path) -> str:
    """The one of the page, with a port, a certificate and an address that exist here."""
    page = (Path(__file__).parents[2] / "docs" / "web.md").read_text()
    [found] = re.findall(r"^    server \{\n.*?^    \}\n", page, re.DOTALL | re.MULTILINE)
    block = textwrap.dedent(found)
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


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Callable[[Running], str]]:
    """Starts nginx in front of a service; returns its address."""
    processes = []

    def make(service: Running) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        pair = ["-keyout", str(tmp_path / "own.key"), "-out", str(tmp_path / "own.crt"), "-subj", f"/CN={NAME}"]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *pair], check=True)
        paths = "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi"))
        http = f"access_log off;\n{paths}{_server_block(port, service, tmp_path)}"
        config = tmp_path / "nginx.conf"
        config.write_text(f"daemon off; pid {tmp_path}/pid; events {{}}\nhttp {{\n{http}\n}}\n")
        assert NGINX
        processes.append(subprocess.Popen([NGINX, "-c", config, "-e", tmp_path / "error.log"]))
        end = time.monotonic() + 30
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < end, (tmp_path / "error.log").read_text()
            time.sleep(0.1)
        return f"https://127.0.0.1:{port}"

    yield make
    for process in processes:
        process.terminate()
        process.wait(30)


def test_behind_nginx_on_a_server_with_a_replica(
    start: Start,
    keys: tuple[Path, dict[str, str]],
    make_server: Callable[[str], TcpServer],
    proxy: Callable[[Running], str],
) -> None:
    primary, replica = make_server("primary"), make_server("replica")
    primary.create()
    primary.start()
    replica.copy_of(primary)
    replica.start()
    file, of = keys
    service = start(
        f"key_file={file}",
        f"hosts=[{NAME},127.0.0.1]",
        "trusted_proxies=[127.0.0.1]",
        f"gallery.url={primary.url}",
        f"gallery.read_url={replica.url}",
    )
    with httpx.Client(base_url=proxy(service), verify=False, headers={"Host": NAME}, timeout=60) as client:
        check_problem(identify(client, photo(ANN, 1)), 401)
        page = {"Origin": f"https://{NAME}", "Sec-Fetch-Site": "same-origin"}
        entered = client.post("/sign-in", data={"key": of["admin"]}, headers=page)
        assert entered.status_code == 303
        assert "Secure" in entered.headers["Set-Cookie"]
        assert enroll(client, "Ann", photo(ANN, 1), photo(ANN, 2)).status_code == 201
        end = time.monotonic() + 30
        while (names := _names(client, photo(ANN, 3))) != ["Ann"]:  # the replica follows
            assert time.monotonic() < end, names
            time.sleep(0.1)
        assert _names(client, photo(CLEO, 1)) == [None]
        foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
        check_problem(client.post("/api/v1/identify", headers=foreign), 403)
        check_problem(client.get("/api/v1/persons", headers={"Host": "elsewhere.example"}), 421)


def _names(client: httpx.Client, picture: bytes) -> list[str | None]:
    return [face["person"] for face in identify(client, picture).json()["faces"]]
