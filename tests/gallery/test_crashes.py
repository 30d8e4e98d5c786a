"""Processes and servers that are killed, with no warning, at any moment."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from facerec.errors import GalleryError
from facerec.gallery import Gallery, Sample
from tests.gallery import child

pytestmark = pytest.mark.server


def start(environment: dict[str, str], task: str, folder: Path, first: int, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, child.__file__, task, str(folder), str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def kill_server(folder: Path) -> int:
    """Kill the postmaster of a folder as a power cut would; returns its number."""
    number = postmaster(folder)
    os.kill(number, signal.SIGKILL)
    return number


def postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


def test_killed_while_enrolling_nothing_acknowledged_is_lost(
    folder: Path, child_environment: dict[str, str]
) -> None:
    """Twenty processes are killed while they enrol; under every sixth of them the server is killed as well."""
    wait = random.Random(0)
    acknowledged: set[int] = set()
    with Gallery.open(folder, child.RECORD):  # so that the server outlives the processes
        for round_ in range(20):
            process = start(child_environment, "enroll", folder, 1000 * round_, 1000)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.stderr and process.stderr.read()
            for _ in range(wait.randrange(4)):
                acknowledged.add(int(process.stdout.readline()))
            time.sleep(wait.random() * 0.02)
            if round_ % 6 == 0:
                kill_server(folder)
            process.kill()
            acknowledged |= {int(line) for line in process.stdout.read().splitlines()}
            process.wait()
            process.stdout.close()
    with Gallery.open(folder, child.RECORD) as gallery:
        persons = {person.name: person.samples for person in gallery.persons()}
        assert {f"p{number}" for number in acknowledged} <= persons.keys()
        assert set(persons.values()) == {child.PER_PERSON}
        assert len(persons) <= len(acknowledged) + 20  # the last of each may have been stored unheard
        for number in acknowledged:
            for exact in (True, False):
                [answer] = gallery.identify(child.vectors(number)[:1], threshold=0.99, exact=exact)
                assert answer.person is not None
                assert answer.person.name == f"p{number}"


State = dict[tuple[str, str], tuple[list[str], list[str]]]


def state(gallery: Gallery) -> State:
    """By id and name: the crops of a person's samples, and of the faces denied of them."""
    return {
        (str(person.id), person.name): (
            sorted(sample.crop for sample in gallery.show(person.id)[1]),
            sorted(sample.crop for sample in gallery.corrections.denied(person.id)),
        )
        for person in gallery.persons()
    }


def crops_of(people: State) -> list[str]:
    return sorted(crop for lists in people.values() for crops in lists for crop in crops)


def test_killed_while_correcting_nothing_is_half_done(folder: Path, child_environment: dict[str, str]) -> None:
    """Twelve processes are killed while they correct and undo; under every fourth the server is killed as well."""
    wait = random.Random(1)
    with Gallery.open(folder, child.RECORD) as gallery:
        for number in range(6):
            gallery.enroll(f"p{number}", [Sample(vector) for vector in child.vectors(number)])
        before, ids, heard = state(gallery), set[str](), 0
        for round_ in range(12):
            process = start(child_environment, "correct", folder, round_, 10_000)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.stderr and process.stderr.read()
            lines = [process.stdout.readline() for _ in range(wait.randrange(1, 12))]
            time.sleep(wait.random() * 0.05)
            if round_ % 4 == 0:
                kill_server(folder)
            process.kill()
            lines += process.stdout.readlines()
            process.wait()
            process.stdout.close()
            for what, change in (line.split() for line in lines):
                (ids.add if what == "did" else ids.remove)(change)
            heard += len(lines)
            after = state(gallery)
            assert crops_of(after) == crops_of(before)  # each crop once: nothing lost, nothing doubled
            listed = {str(entry.id) for entry in gallery.corrections.changes()}
            assert len(ids ^ listed) <= 1  # the last one may have been made or undone unheard
            ids = listed
        assert heard > 40
        assert ids
        for number in range(6):  # what search uses agrees with the samples
            for exact in (True, False):
                [answer] = gallery.identify(child.vectors(number)[:1], threshold=0.99, exact=exact)
                assert (answer.person is None) == (child_crop(number) not in samples_of(after))
        for entry in gallery.corrections.changes():
            gallery.corrections.undo(entry.id)
        assert state(gallery) == before
        assert gallery.corrections.changes() == []


def child_crop(number: int) -> str:
    return Sample(child.vectors(number)[0]).digest().hex()


def samples_of(people: State) -> set[str]:
    return {crop for samples, _ in people.values() for crop in samples}


def test_killed_while_the_folder_is_made_it_is_made_anew(folder: Path, child_environment: dict[str, str]) -> None:
    for delay in (0.3, 0.5, 0.7, 0.9):
        process = start(child_environment, "enroll", folder, 0, 1)
        time.sleep(delay)
        process.kill()
        process.communicate()
    with Gallery.open(folder, child.RECORD) as gallery:
        gallery.enroll("p0", [Sample(vector) for vector in child.vectors(0)])
        assert gallery.size() == (1, 3)


def test_two_enrol_while_two_identify(folder: Path, child_environment: dict[str, str]) -> None:
    with Gallery.open(folder, child.RECORD) as gallery:
        for number in range(4):
            gallery.enroll(f"p{number}", [Sample(vector) for vector in child.vectors(number)])
        # the two that enrol meet at persons 50..99
        jobs = [("enroll", 0, 100), ("enroll", 50, 100), ("identify", 0, 200), ("identify", 0, 200)]
        processes = [start(child_environment, task, folder, *span) for task, *span in jobs]
        results = [process.communicate(timeout=120) for process in processes]
        assert [error for _, error in results] == [""] * 4
        expected = "ready\n" + "".join(f"p{number % 4}\n" for number in range(200))
        assert [output for output, _ in results[2:]] == [expected, expected]
        assert gallery.size() == (150, 450)


def test_a_left_over_server_is_taken_over_and_stopped_by_the_last(
    folder: Path, child_environment: dict[str, str]
) -> None:
    process = start(child_environment, "enroll", folder, 0, 100_000)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["ready\n", "0\n"]
    process.kill()
    process.communicate()
    left_over = postmaster(folder)
    assert psutil.pid_exists(left_over)
    with Gallery.open(folder, child.RECORD) as gallery, Gallery.open(folder, child.RECORD) as second:
        assert postmaster(folder) == left_over
        assert gallery.size().persons >= 1
        gallery.close()
        assert second.size().persons >= 1
    assert not (folder / "postgres" / "postmaster.pid").exists()
    with suppress(psutil.NoSuchProcess):
        psutil.Process(left_over).wait(10)


def test_a_stale_number_that_is_another_process_does_not_matter(folder: Path) -> None:
    """After a restart of the machine, or of a container, the number of the old server is soon used again."""
    with Gallery.open(folder, child.RECORD) as gallery:
        gallery.enroll("p0", [Sample(vector) for vector in child.vectors(0)])
        file = folder / "postgres" / "postmaster.pid"
        lines = file.read_text().splitlines()
        kill_server(folder)
        time.sleep(0.5)  # its children notice
        file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        assert gallery.size() == (1, 3)


def test_the_server_of_a_folder_is_started_again(folder: Path) -> None:
    with Gallery.open(folder, child.RECORD) as gallery:
        for number in range(2):
            gallery.enroll(f"p{number}", [Sample(vector) for vector in child.vectors(number)])
            old = kill_server(folder)
            while psutil.pid_exists(old) and psutil.Process(old).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.01)
            [answer] = gallery.identify(child.vectors(number)[:1], threshold=0.99)
            assert answer.person is not None
            gallery.enroll(f"again{number}", [Sample(vector) for vector in child.vectors(100 + number)])
        assert gallery.size() == (4, 12)


def test_a_closed_gallery_starts_no_server(folder: Path) -> None:
    gallery = Gallery.open(folder, child.RECORD)
    gallery.close()
    with pytest.raises(GalleryError, match="was closed"):
        gallery.size()
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_a_path_too_long_for_a_socket(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    with Gallery.open(deep, child.RECORD) as gallery:
        assert gallery.size() == (0, 0)
        elsewhere = Path(psycopg.conninfo.conninfo_to_dict(gallery._database._url)["host"])  # type: ignore[arg-type]
        assert elsewhere != deep
    assert not elsewhere.exists()
    if os.geteuid() == 0:
        elsewhere.mkdir()
        os.chown(elsewhere, 1234, 1234)
        with pytest.raises(GalleryError, match="belongs to another user"):
            Gallery.open(deep, child.RECORD)
        elsewhere.rmdir()
