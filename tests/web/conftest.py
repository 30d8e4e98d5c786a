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
from typing import Any

import httpx
import pytest
import torch
from PIL import Image
from torchvision.utils import make_grid

from facerec.data import orl
from facerec.web.keys import add_key
from tests.gallery.conftest import short_folder
from tests.web import fisherfaces

# of people whom the model did not learn
ANN, BOB, CLEO = 31, 32, 33


class Running:
    """The job, in a process of its own, as a user starts it."""

    def __init__(self, folder: Path, contract: Path, *overrides: str, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder, self.log = folder, log
        given = [f"model={contract}", f"gallery.url={folder}", f"port={self.port}", *overrides]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "facerec.serve", *given],
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

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.client.close()
        if how == signal.SIGINT:  # a terminal sends Ctrl-C to everything that was started in it
            os.killpg(self.process.pid, how)
        else:
            self.process.send_signal(how)
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
    """Starts services on one new gallery; those that still run are stopped."""
    folder, running = short_folder(), []

    def make(*overrides: str) -> Running:
        running.append(Running(folder / "g", contract, *overrides, log=tmp_path / "serve.log"))
        return running[-1]

    yield make
    for one in running:
        if one.process.poll() is None:
            one.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def served(contract: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests that do not mind."""
    folder = short_folder()
    one = Running(
        folder / "g", contract, "limits.rate=100000/minute", log=tmp_path_factory.mktemp("serve") / "serve.log"
    )
    yield one
    assert one.stop() == 0, one.log.read_text()
    shutil.rmtree(folder)


@pytest.fixture
def service(served: Running) -> Running:
    """The same, with nobody enrolled."""
    for person in served.client.get("/api/v1/persons").json():
        served.client.delete(f"/api/v1/persons/{person['id']}").raise_for_status()
    return served


def photo(person: int, number: int) -> bytes:
    """A JPEG of an ORL person."""
    return _jpeg(fisherfaces.doubled(_file(person, number)))


def group(*who: tuple[int, int]) -> bytes:
    """A JPEG of several."""
    pictures = [fisherfaces.doubled(_file(*one)) for one in who]
    return _jpeg(make_grid(pictures, nrow=3, padding=24, pad_value=128).to(torch.uint8))


def _jpeg(picture: torch.Tensor) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def _file(person: int, number: int) -> Path:
    return next(file for file in orl().files if file.parent.name == f"s{person}" and int(file.stem) == number)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A file of keys, and the keys by role."""
    file = tmp_path / "keys.txt"
    return file, {role: add_key(file, f"the-{role}", role) for role in ("read", "admin")}


def enroll(client: httpx.Client, name: str, *photos: bytes, **fields: Any) -> httpx.Response:
    files = [("photos", (f"{number}.jpg", one, "image/jpeg")) for number, one in enumerate(photos, 1)]
    return client.post("/api/v1/samples", data={"name": name, **fields}, files=files)


def identify(client: httpx.Client, content: bytes, **fields: Any) -> httpx.Response:
    return client.post("/api/v1/identify", data=fields, files={"photo": ("p.jpg", content, "image/jpeg")})


def check_problem(answer: httpx.Response, status: int) -> str:
    """It is a problem detail; returns what it says."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(answer.content)
    assert problem["status"] == status
    assert problem["title"]
    return str(problem["detail"])
