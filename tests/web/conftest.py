import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from facerec.data import orl
from facerec.web.keys import add_key
from tests.gallery.conftest import short_folder
from tests.web import fisherfaces
from tests.web.chromium import chromium, complaints

# ORL people whom the model was not trained on
ANN, BOB, CLEO = 31, 32, 33
SIZES = {"desktop": (1200, 900), "phone": (375, 812)}


class Running:
    """`python -m facerec.serve` in its own process, as a user starts it."""

    def __init__(self, folder: Path, contract: Path, *overrides: str, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder, self.log = folder, log
        arguments = [f"model={contract}", f"gallery.url={folder}", f"port={self.port}", *overrides]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "facerec.serve", *arguments],
                env=environment,
                cwd=folder.parent,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.client = httpx.Client(base_url=self.url, timeout=60)
        end = time.monotonic() + 180  # other work may keep the machine busy
        while not self._answers():
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.client.close()
        if number == signal.SIGINT:  # a terminal sends Ctrl-C to the whole process group
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(60)

    def _answers(self) -> bool:
        try:
            return self.client.get("/api/v1/ready").status_code == 200
        except httpx.TransportError:
            return False


Start = Callable[..., Running]


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fisherfaces.make(tmp_path_factory.mktemp("fisherfaces"))


@pytest.fixture
def start(contract: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts services on one new gallery; at the end those still running are stopped."""
    folder, services = short_folder(), []

    def make(*overrides: str) -> Running:
        services.append(Running(folder / "g", contract, *overrides, log=tmp_path / "serve.log"))
        return services[-1]

    yield make
    for service in services:
        if service.process.poll() is None:
            service.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def served(contract: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for all tests that need no settings of their own."""
    folder, log = short_folder(), tmp_path_factory.mktemp("serve") / "serve.log"
    service = Running(folder / "g", contract, "limits.rate=100000/minute", log=log)
    yield service
    assert service.stop() == 0, log.read_text()
    shutil.rmtree(folder)


@pytest.fixture
def service(served: Running) -> Running:
    """The shared service, with nobody enrolled."""
    for person in served.client.get("/api/v1/persons").json():
        served.client.delete(f"/api/v1/persons/{person['id']}").raise_for_status()
    return served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(params=["desktop", "phone"])
def page(browser: Browser, service: Running, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A window; any error on its console, such as of the content policy, fails the test."""
    width, height = SIZES[request.param]
    scheme: Literal["dark", "light"] = "dark" if request.param == "phone" else "light"
    context = browser.new_context(
        base_url=service.url, viewport={"width": width, "height": height}, color_scheme=scheme
    )
    window = context.new_page()
    errors = complaints(window, " 404 ", " 409 ", " 415 ")  # some tests cause these on purpose
    window.on("request", lambda sent: errors.append(sent.url) if _foreign(sent.url, service) else None)
    yield window
    context.close()
    assert errors == []


def _foreign(url: str, service: Running) -> bool:
    return not url.startswith((service.url, "blob:", "data:"))


def photo(person: int, number: int) -> bytes:
    """A JPEG of an ORL person, twice as large as the original."""
    return _jpeg(_open(person, number))


def group(*people: tuple[int, int]) -> bytes:
    """One JPEG of several people, three in a row."""
    photos = [_open(*person) for person in people]
    (width, height), margin = photos[0].size, 24
    rows = -(-len(photos) // 3)
    whole = Image.new("L", (3 * (width + margin) + margin, rows * (height + margin) + margin), 128)
    for index, image in enumerate(photos):
        row, column = divmod(index, 3)
        whole.paste(image, (column * (width + margin) + margin, row * (height + margin) + margin))
    return _jpeg(whole)


def _open(person: int, number: int) -> Image.Image:
    files = orl().files
    file = next(file for file in files if file.parent.name == f"s{person}" and int(file.stem) == number)
    return fisherfaces.doubled(file)


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A key file, and its keys by role."""
    file = tmp_path / "keys.txt"
    return file, {role: add_key(file, f"the-{role}", role) for role in ("read", "admin")}


def enroll(client: httpx.Client, name: str, *photos: bytes, **fields: Any) -> httpx.Response:
    files = [("photos", (f"{number}.jpg", content, "image/jpeg")) for number, content in enumerate(photos, 1)]
    return client.post("/api/v1/samples", data={"name": name, **fields}, files=files)


def identify(client: httpx.Client, content: bytes, **fields: Any) -> httpx.Response:
    return client.post("/api/v1/identify", data=fields, files={"photo": ("p.jpg", content, "image/jpeg")})


def check_problem(answer: httpx.Response, status: int) -> str:
    """Check that it is a problem detail; returns its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(answer.content)
    assert problem["status"] == status
    assert problem["title"]
    return str(problem["detail"])
