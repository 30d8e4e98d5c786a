"""Behind nginx, configured as in docs/web.md, on a PostgreSQL server with a replica."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.gallery.conftest import TcpServer, make_server
from tests.web.conftest import ANN, CLEO, Start, check_problem, enroll, identify, photo
from tests.web.nginx import NAME, needs_nginx, nginx

__all__ = ["make_server"]  # a fixture
pytestmark = [pytest.mark.slow, needs_nginx]


def test_behind_nginx_on_a_server_with_a_replica(
    start: Start,
    keys: tuple[Path, dict[str, str]],
    make_server: Callable[[str], TcpServer],
    tmp_path: Path,
) -> None:
    primary, replica = make_server("primary"), make_server("replica")
    primary.create()
    primary.start()
    replica.copy_of(primary)
    replica.start()
    file, key_of = keys
    service = start(
        f"key_file={file}",
        f"hosts=[{NAME},127.0.0.1]",
        "trusted_proxies=[127.0.0.1]",
        f"gallery.url={primary.url}",
        f"gallery.read_url={replica.url}",
    )
    with (
        nginx(service, tmp_path) as port,
        httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=False, headers={"Host": NAME}, timeout=60
        ) as client,
    ):
        check_problem(identify(client, photo(ANN, 1)), 401)
        page = {"Origin": f"https://{NAME}", "Sec-Fetch-Site": "same-origin"}
        entered = client.post("/sign-in", data={"key": key_of["admin"]}, headers=page)
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
