"""The service as the Containerfile makes it, without a container engine: its steps, run in a Debian of its own."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import httpx
import psutil
import pytest

from facerec.data import orl
from tests.web import fisherfaces

ROOT = Path(__file__).parents[1]
PEOPLE = ("s1", "s2")  # whom the model knows
PIP_SETTINGS = ("/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.server,
    pytest.mark.skipif("FACEREC_SLOW" not in os.environ, reason="takes minutes: make test-slow"),
    pytest.mark.skipif(not shutil.which("mmdebstrap"), reason="no mmdebstrap: apt-get install mmdebstrap"),
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="wants root, for chroot"),
]


class Container:
    """A folder with a Debian, in which the instructions of a Containerfile are followed.

    Attributes:
        start: ENTRYPOINT and CMD.
        health: HEALTHCHECK.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.user, self.place = folder, "root", "/"
        self.start: list[str] = []
        self.health: list[str] = []
        self._environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}

    def follow(self, containerfile: Path) -> None:
        """Follow all instructions; one that is not known here is an error."""
        text = re.sub(r"^#.*\n", "", containerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
        for line in filter(str.strip, text.splitlines()):
            instruction, rest = line.split(maxsplit=1)
            match instruction:
                case "FROM":
                    self._debian_with_python()
                case "RUN":
                    subprocess.run(self.command("sh", "-ec", rest), check=True)
                case "COPY":
                    *sources, target = rest.split()
                    for source in sources:
                        self._copy(ROOT / source, self.inside(target) / ("" if target == source else source))
                case "WORKDIR":
                    self.place = rest
                    self.inside(rest).mkdir(parents=True, exist_ok=True)
                case "ENV":
                    self._environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
                case "USER":
                    self.user = rest
                case "HEALTHCHECK":
                    self.health = json.loads(rest.partition("CMD ")[2])
                case "ENTRYPOINT" | "CMD":
                    self.start += json.loads(rest)
                case "EXPOSE" | "VOLUME":
                    pass
                case _:
                    raise AssertionError(f"{instruction} is not known here")

    def inside(self, path: str) -> Path:
        """Where a path of the container lies outside."""
        return self.folder / self.place.strip("/") / path if path[:1] != "/" else self.folder / path.strip("/")

    def command(self, *command: str) -> list[str]:
        """What runs the command inside, with processes and mounts of its own."""
        inner = shlex.join(
            ["chroot", f"--userspec={self.user}", str(self.folder), "env", "-i", f"--chdir={self.place}"]
            + [f"{name}={value}" for name, value in {**self._environment, **self._settings()}.items()]
            + list(command)
        )
        folder = shlex.quote(str(self.folder))
        mounts = f"mount -t proc proc {folder}/proc && mount --rbind /dev {folder}/dev && exec {inner}"
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", mounts]

    def _debian_with_python(self) -> None:
        """What stands in for `python:3.x-slim`: Debian, with `python` and `pip` in /usr/local."""
        release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines())
        include = "--include=python3,python3-venv,ca-certificates"
        make = ("mmdebstrap", "--mode=root", "--variant=apt", include, release["VERSION_CODENAME"], self.folder)
        subprocess.run(make, check=True)
        self._copy(Path("/etc/resolv.conf"), self.inside("/etc/resolv.conf"))
        for file in PIP_SETTINGS:
            self._copy(Path(file).expanduser(), self.inside("/etc/pip.conf"))
        for value in self._settings().values():  # certificates
            self._copy(Path(value), self.inside(value))
        subprocess.run(self.command("python3", "-m", "venv", "/usr/local"), check=True)

    @staticmethod
    def _settings() -> dict[str, str]:
        """How this machine reaches the package index."""
        prefixes = ("PIP_", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        return {name: value for name, value in os.environ.items() if name.startswith(prefixes)}

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    folder = tmp_path_factory.mktemp("container") / "root"
    made = Container(folder)
    made.follow(ROOT / "deploy" / "Containerfile")
    (folder / "data" / "model").mkdir()
    fisherfaces.make(folder / "data" / "model", people=30)
    for file in folder.glob("data/model/*"):
        file.chmod(0o644)
    return made


@pytest.fixture(scope="module")
def key(container: Container) -> str:
    """Made as the first lines of the Containerfile say."""
    made = subprocess.run(
        container.command(container.start[0], "keys", "/data/keys.txt", "ann", "admin"),
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.strip()


@pytest.fixture(scope="module")
def service(container: Container, key: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The service in the container, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(container.command(*container.start, f"port={port}", "model=/data/model/model.yaml"))
    yield process, port
    process.kill()


def test_it_names_people_as_another_user_than_root(
    container: Container, service: tuple[subprocess.Popen[bytes], int], key: str, tmp_path: Path
) -> None:
    process, port = service
    health = container.command(*(argument.replace("8000", str(port)) for argument in container.health))
    end = time.monotonic() + 120
    while subprocess.run(health, capture_output=True, check=False).returncode:
        assert process.poll() is None, "the service ended"
        assert time.monotonic() < end, "the health check never passed"
        time.sleep(0.5)
    photos = {}
    for person, number in product(PEOPLE, (1, 2, 3, 5)):
        [source] = [file for file in orl().files if file.match(f"{person}/{number}.pgm")]
        fisherfaces.doubled(source).save(tmp_path / "photo.png")
        photos[person, number] = (tmp_path / "photo.png").read_bytes()
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=60) as client:
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/persons").status_code == 401
        for person in PEOPLE:
            files = [("photos", photos[person, number]) for number in (1, 2, 3)]
            enrolled = client.post("/samples", data={"name": person}, files=files)
            assert enrolled.is_success, enrolled.text
        for person in PEOPLE:
            answer = client.post("/identify", files={"photo": photos[person, 5]})
            [face] = answer.json()["faces"]
            assert face["matches"][0]["name"] == person
    [inner] = psutil.Process(process.pid).children()
    assert {child.uids().real for child in (inner, *inner.children(recursive=True))} == {10001}
    inner.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert (container.folder / "data" / "facerec" / "gallery" / "postgres" / "PG_VERSION").exists()


def test_torch_is_not_in_it(container: Container) -> None:
    listed = subprocess.run(container.command("pip", "list"), capture_output=True, text=True, check=True)
    packages = {line.split()[0] for line in listed.stdout.splitlines()[2:]}
    assert {"facerec", "onnxruntime", "uvicorn"} <= packages
    assert not {"torch", "scikit-learn", "matplotlib"} & packages
