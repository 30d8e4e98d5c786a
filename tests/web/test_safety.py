"""Keys, roles, sessions, rates, and requests of other sites."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from facerec.errors import ConfigError
from facerec.gallery import Gallery
from facerec.models import open_model
from facerec.recognition import Gates
from facerec.web.app import build
from facerec.web.authentication import Authenticator
from facerec.web.keys import Key, find_key, read_keys
from facerec.web.limits import Limits
from facerec.web.pipeline import Pipeline, Settings
from tests.web import fisherfaces
from tests.web.conftest import ANN, Running, check_problem, photo

SETTINGS = Settings(20, 0.8, 8, "largest", Gates(30, 40, 0.7, 70), False, 0.01, "search")
LIMITS = Limits(20_000_000, 50_000_000, 20, 60, 120, 128, 64, "40/minute")


@pytest.fixture
def keyed(contract: Path, service: Running, keys: tuple[Path, dict[str, str]]) -> Iterator[httpx.Client]:
    """A client of another service on the shared gallery, with keys, in a thread of this process."""
    model = open_model(contract, "cpu")
    with Gallery.open(service.folder, model) as gallery:
        pipeline = Pipeline(model, fisherfaces.detector(), SETTINGS, LIMITS, 1)
        app = build(pipeline, {"default": gallery}, Authenticator(read_keys(keys[0]), LIMITS.rate), None)
        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
        server.should_exit = True
        thread.join()
        pipeline.close()


def test_keys_roles_sign_in_rate_and_audit(
    keyed: httpx.Client, service: Running, keys: tuple[Path, dict[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    (file, key_of), client = keys, keyed
    reader, admin = ({"Authorization": f"Bearer {key_of[role]}"} for role in ("read", "admin"))
    for path in ("/api/v1/persons", "/api/v1/metrics"):
        check_problem(client.get(path), 401)
    check_problem(client.get("/api/v1/persons", headers={"Authorization": "Bearer wrong"}), 401)
    assert client.get("/api/v1/persons", headers=reader).status_code == 200
    files = {"photos": ("a.jpg", photo(ANN, 1), "image/jpeg")}
    check_problem(client.post("/api/v1/samples", headers=reader, data={"name": "Ann"}, files=files), 403)
    enrolled = client.post("/api/v1/samples", headers=admin, data={"name": "Ann"}, files=files)
    person = enrolled.json()["person"]["id"]
    check_problem(client.delete(f"/api/v1/persons/{person}", headers=reader), 403)
    assert client.delete(f"/api/v1/persons/{person}", headers=admin).status_code == 200

    # a browser's session may do what its key may
    assert client.get("/people", headers={"Accept": "text/html"}).headers["Location"] == "/sign-in"
    assert client.post("/sign-in", data={"key": "wrong"}).status_code == 401
    entered = client.post("/sign-in", data={"key": key_of["read"]})
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert key_of["read"] not in cookie
    assert "Add a person" not in client.get("/people").text
    check_problem(client.delete(f"/api/v1/persons/{person}"), 403)
    client.post("/sign-out")
    check_problem(client.get("/api/v1/persons"), 401)

    answers = (client.get("/api/v1/persons", headers=admin) for _ in range(1000))
    refused = next(answer for answer in answers if answer.status_code != 200)
    check_problem(refused, 429)
    assert int(refused.headers["Retry-After"]) >= 1
    assert client.get("/api/v1/persons", headers=reader).status_code == 200  # each key has its own rate
    with Gallery.open(service.folder) as gallery:
        events = [(event.action, event.actor) for event in gallery.events()]
    assert ("enroll", "key the-admin") in events
    assert ("erase", "key the-admin") in events
    assert not any(secret in file.read_text() or secret in caplog.text for secret in key_of.values())


def test_keys_are_hashed_and_found(keys: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    file, key_of = keys
    assert file.stat().st_mode & 0o077 == 0
    read = read_keys(file)
    assert find_key(read, key_of["admin"]) == Key("the-admin", "admin", read[1].digest)
    assert find_key(read, "") is None
    for content in ("", "ann admin xyz", "ann boss " + "00" * 32, "ann admin 00"):
        (tmp_path / "bad").write_text(content)
        with pytest.raises(ConfigError, match="key_file: "):
            read_keys(tmp_path / "bad")
    command = [sys.executable, "-m", "facerec.web.keys", str(file), "third", "read"]
    secret = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    third = find_key(read_keys(file), secret)
    assert third is not None
    assert third.name == "third"


def test_other_pages_and_other_names_are_refused(service: Running) -> None:
    client = service.client
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        check_problem(client.post("/api/v1/identify", headers=headers, files={"photo": b"x"}), 403)
    check_problem(client.get("/api/v1/persons", headers={"Host": "evil.example"}), 421)
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
