import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from facerec.gallery import Gallery, postgres
from facerec.models import ModelRecord, Statistics

DIM = 32
STATISTICS = {
    "thresholds": [
        {"far": 1e-3, "threshold": 0.6, "low": 0.5, "high": 0.7},
        {"far": 1e-2, "threshold": 0.5, "low": 0.4, "high": 0.6},
        {"far": 1e-1, "threshold": 0.4, "low": 0.3, "high": 0.5},
    ],
    "calibration": {"slope": 10.0, "intercept": -5.0},
}
RECORD = ModelRecord("a1" * 32, DIM, Statistics.from_json(STATISTICS, Path("statistics.json")))
Faces = Callable[..., NDArray[np.float32]]


def short_folder() -> Path:
    """A new folder with a short path, because a socket's may have about 100 bytes.

    In memory where there is room: what a kill leaves behind is the same, and making a server writes a thousand
    files, which a busy disk takes seconds to confirm.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30
    return Path(tempfile.mkdtemp(prefix="facerec-", dir=memory if roomy else None))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a gallery may be made."""
    path = short_folder()
    yield path / "g"
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def shared_gallery() -> Iterator[Gallery]:
    """One for all tests that need no server of their own."""
    path = short_folder()
    with Gallery.open(path / "g", RECORD) as opened:
        yield opened
    shutil.rmtree(path)


@pytest.fixture
def gallery(shared_gallery: Gallery) -> Gallery:
    """An empty one; its folder is not `folder`."""
    shared_gallery.erase(*(person.id for person in shared_gallery.persons()))
    return shared_gallery


class TcpServer:
    """A PostgreSQL that listens on a port and wants a password."""

    password = "only-for-tests"

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Returns the URL of a new one."""
        name = f"test_{uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url_of(name)

    def create(self) -> None:
        secret = self.data.parent / "secret"
        secret.write_text(self.password)
        options = (
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-sync",
        )
        postgres.run("initdb", "-D", self.data, *options, "--locale=C.UTF-8", cwd=self.data.parent)

    def copy_of(self, primary: "TcpServer") -> None:
        options = ("--write-recovery-conf", "--checkpoint=fast", "-d", primary.url)
        postgres.run("pg_basebackup", "-D", self.data, *options, cwd=self.data.parent)

    def start(self) -> None:
        """Start it unless it runs."""
        if (self.data / "postmaster.pid").exists():
            return
        settings = f"-h 127.0.0.1 -p {self.port} -c unix_socket_directories={self.data.parent}"
        log = self.data.parent / f"{self.data.name}.log"
        postgres.run("pg_ctl", "start", "-w", "-D", self.data, "-l", log, "-o", settings, cwd=self.data.parent)

    def stop(self, mode: str = "fast") -> None:
        if (self.data / "postmaster.pid").exists():
            postgres.run("pg_ctl", "stop", "-w", "-m", mode, "-D", self.data, cwd=self.data.parent)


@pytest.fixture(scope="module")
def make_server() -> Iterator[Callable[[str], TcpServer]]:
    """Makes servers that are stopped at the end of the module."""
    path = short_folder()
    postgres.hand_over(path)
    made: list[TcpServer] = []

    def make(name: str) -> TcpServer:
        made.append(TcpServer(path / name))
        return made[-1]

    yield make
    for server in reversed(made):
        server.stop("immediate")
    shutil.rmtree(path)


@pytest.fixture
def faces() -> Faces:
    """Vectors of one made-up person: `float32 [count, DIM]`, near each other and far from other seeds'."""

    def make(seed: int, count: int = 1) -> NDArray[np.float32]:
        random = np.random.default_rng(seed)
        vectors = random.normal(size=DIM) + 0.3 * random.normal(size=(count, DIM))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors.astype(np.float32)

    return make


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained embedder, which knows a picture again and hardly more."""
    import torch

    from facerec.backbones import ResNet
    from facerec.models import store
    from facerec.models.embedder import Embedder

    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, embedding_dim=16, stem="imagenet"), mean=(127.0,) * 3, std=(70.0,) * 3)
    thresholds = [{"far": far, "threshold": 0.9999, "low": 0.9, "high": 1.0} for far in (1e-4, 1e-1)]
    statistics = {"thresholds": thresholds, "calibration": {"slope": 10.0, "intercept": -5.0}}
    folder = tmp_path_factory.mktemp("models") / "model"
    store.save(folder, embedder, statistics=statistics, origin={"dataset": "noise"})
    return folder


@pytest.fixture
def child_environment() -> dict[str, str]:
    """For processes that a test starts: they see the package that is tested, wherever they run."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
