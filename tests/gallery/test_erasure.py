"""Erased is erased: the files of the server are read byte by byte."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from facerec.errors import GalleryError
from facerec.gallery import Gallery, Sample, erasure
from tests.gallery.conftest import RECORD, TcpServer

Faces = Callable[..., NDArray[np.float32]]
pytestmark = pytest.mark.server
NAME, OLD_NAME, PHOTO, NOTE = "Wilhelmina Quux", "Hildegard Zyx", "holiday-of-wilhelmina.jpg", "sits by the window"


def holding(folder: Path, secrets: dict[str, bytes]) -> set[tuple[str, str]]:
    """Which secret is found in which file."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    contents = ((file.relative_to(folder).as_posix(), file.read_bytes()) for file in files)
    return {(what, name) for name, content in contents for what, secret in secrets.items() if secret in content}


def traces(vectors: NDArray[np.float32]) -> dict[str, bytes]:
    text = {"name": NAME, "old name": OLD_NAME, "photo": PHOTO, "note": NOTE}
    # eight numbers of a vector, from its middle: nothing else has them
    parts = {f"vector {row}": vector[12:20].tobytes() for row, vector in enumerate(vectors)}
    return {**{what: secret.encode() for what, secret in text.items()}, **parts, "crop": b"\xc7" * 32}


def fill(gallery: Gallery, faces: Faces) -> NDArray[np.float32]:
    for seed in range(60):
        gallery.enroll(f"p{seed}", [Sample(vector, "other.jpg") for vector in faces(seed, 5)])
    vectors = faces(1000, 40)
    gallery.enroll(OLD_NAME, [Sample(vector, PHOTO) for vector in vectors], note=NOTE)
    gallery.enroll(OLD_NAME, [Sample(faces(1000, 41)[40], PHOTO, b"\xc7" * 32)])
    gallery.corrections.rename(OLD_NAME, NAME)
    gallery.identify(vectors[:3])
    gallery._database.run_outside_transaction("ANALYZE")
    return vectors


@pytest.fixture
def filled(folder: Path, faces: Faces) -> Iterator[tuple[Gallery, dict[str, bytes]]]:
    with Gallery.open(folder, RECORD) as gallery:
        yield gallery, traces(fill(gallery, faces))


def test_nothing_of_an_erased_person_is_left_in_any_file(
    filled: tuple[Gallery, dict[str, bytes]], folder: Path
) -> None:
    gallery, secrets = filled
    gallery._database.run_outside_transaction("CHECKPOINT")
    found = holding(folder, secrets)
    assert {what for what, _ in found} == secrets.keys()
    assert any("pg_wal" in file for _, file in found)
    erased = gallery.erase(NAME)
    assert (erased.samples, erased.log_deleted) == (41, True)
    assert holding(folder, secrets) == set()
    assert gallery.size() == (60, 300)
    gallery.close()
    assert holding(folder, secrets) == set()


def test_nobody_is_erased_when_one_of_the_names_is_unknown(gallery: Gallery, faces: Faces) -> None:
    gallery.enroll("Ann", [Sample(vector) for vector in faces(0, 2)])
    with pytest.raises(GalleryError, match="Bob: nobody"):
        gallery.erase("Ann", "Bob")
    assert gallery.size() == (1, 2)


def test_an_older_reader_keeps_files_from_being_cleaned(
    filled: tuple[Gallery, dict[str, bytes]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, secrets = filled
    monkeypatch.setattr(erasure, "_PATIENCE", 0.5)
    with psycopg.connect(gallery._database._url) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1 FROM person")
        with pytest.raises(GalleryError, match=r"erased from the tables.*another connection.*call erase\(\) again"):
            gallery.erase(NAME)
        assert NAME not in [person.name for person in gallery.persons()]
    gallery.erase()
    assert holding(folder, secrets) == set()


def test_a_server_that_reuses_its_log_is_said_to(make_server: Callable[[str], TcpServer], faces: Faces) -> None:
    server = make_server("primary")
    server.create()
    server.start()
    with Gallery.open(server.url, RECORD) as gallery:
        secrets = traces(fill(gallery, faces))
        assert not gallery.erase(NAME).log_deleted
        tables = {file for _, file in holding(server.data, secrets) if "pg_wal" not in file}
        assert tables == set()
