"""Indexed photos over the API: groups of unknown faces, doubtful faces, the photos of a person."""

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.web.conftest import ANN, BOB, CLEO, Running, Start, check_problem, enroll, photo

API = "/api/v1"


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two photos of Bob and two of Ann: each person's are one picture, compressed in two ways."""
    folder = tmp_path / "album"
    folder.mkdir()
    for name, person in (("bob", BOB), ("ann", ANN)):
        picture = Image.open(io.BytesIO(photo(person, 1)))
        for quality in (95, 85):
            picture.save(folder / f"{name}{quality}.jpg", quality=quality)
    return folder


@pytest.fixture
def forgotten(service: Running, contract: Path) -> Iterator[None]:
    """What a test indexes is forgotten after it."""
    yield
    index(service, contract, "forget=true")


def index(service: Running, contract: Path, *overrides: str) -> str:
    command = [
        sys.executable,
        "-m",
        "facerec.index",
        f"model={contract}",
        f"gallery.url={service.folder}",
        *overrides,
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, cwd=service.folder.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("forgotten")
def test_unknown_faces_are_grouped_named_and_asked_about(service: Running, contract: Path, album: Path) -> None:
    client = service.client
    assert "4 photos with 4 faces" in index(service, contract, f"photos={album}")
    groups = client.get(f"{API}/unknown").json()
    assert {tuple(sorted(face["photo"] for face in entry["faces"])) for entry in groups} == {
        ("ann85.jpg", "ann95.jpg"),
        ("bob85.jpg", "bob95.jpg"),
    }
    by_name = {entry["faces"][0]["photo"][:3]: entry for entry in groups}
    picture = client.get(f"{API}/indexed/{by_name['ann']['faces'][0]['crop']}/image")
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/jpeg")
    assert 50 < max(Image.open(io.BytesIO(picture.content)).size) <= 240

    ann = client.post(f"{API}/unknown/{by_name['ann']['id'][:8]}", json={"name": "Ann"}).json()
    assert (ann["name"], ann["samples"]) == ("Ann", 2)
    check_problem(client.post(f"{API}/unknown/{by_name['ann']['id']}", json={"name": "Ann"}), 404)
    check_problem(client.post(f"{API}/unknown/{by_name['bob']['id']}", json={}), 422)
    found = client.get(f"{API}/persons/{ann['id']}/photos").json()
    assert {entry["face"]["photo"] for entry in found} == {"ann85.jpg", "ann95.jpg"}
    assert all(entry["accepted"] and entry["similarity"] > 0.99 for entry in found)

    assert ann["changes"] == []  # enrolling is no correction
    ignored = client.post(f"{API}/unknown/{by_name['bob']['id']}", json={"ignore": True}).json()
    assert ignored["ignored"]
    assert ignored["changes"] == [client.get(f"{API}/changes").json()[0]["id"]]
    assert client.get(f"{API}/unknown?least=1").json() == []
    assert index(service, contract, "forget=true").startswith("4 photos are forgotten")
    check_problem(client.get(f"{API}/indexed/{found[0]['face']['crop']}/image"), 404)


@pytest.mark.usefixtures("forgotten")
def test_a_doubtful_face_is_answered(service: Running, contract: Path, album: Path) -> None:
    client = service.client
    ann = enroll(client, "Ann", photo(ANN, 2)).json()["person"]["id"]
    index(service, contract, f"photos={album}")
    asked = client.get(f"{API}/questions").json()
    assert len(asked) == 4
    assert {entry["name"] for entry in asked} == {"Ann"}
    crops = {entry["face"]["photo"]: entry["face"]["crop"] for entry in asked}
    assert client.post(f"{API}/indexed/{crops['ann95.jpg']}/enroll", json={"to": ann}).json()["samples"] == 2
    assert client.post(f"{API}/indexed/{crops['bob95.jpg']}/deny", json={"person": ann}).status_code == 201
    left = {entry["face"]["photo"] for entry in client.get(f"{API}/questions").json()}
    assert left == {"ann85.jpg"}  # the other photo of Bob is as near to the one denied
    (album / "ann85.jpg").unlink()
    check_problem(client.get(f"{API}/indexed/{crops['ann85.jpg']}/image"), 404)


def test_crops_of_indexed_faces_are_kept_where_crops_are(start: Start, contract: Path, album: Path) -> None:
    service = start("keep_crops=true")
    client = service.client
    cleo = enroll(client, "Cleo", photo(CLEO, 1)).json()["person"]["id"]
    index(service, contract, f"photos={album}")
    crops = {entry["face"]["photo"]: entry["face"]["crop"] for entry in client.get(f"{API}/questions").json()}
    (album / "bob85.jpg").unlink()  # what can't be cropped again is enrolled without
    groups = {entry["faces"][0]["photo"][:3]: entry["id"] for entry in client.get(f"{API}/unknown").json()}
    bob = client.post(f"{API}/unknown/{groups['bob']}", json={"name": "Bob"}).json()
    assert bob["picture"] == crops["bob95.jpg"]
    assert client.post(f"{API}/indexed/{crops['ann95.jpg']}/enroll", json={"name": "Ann"}).status_code == 201
    denied = client.post(f"{API}/indexed/{crops['ann85.jpg']}/deny", json={"person": cleo}).json()
    assert denied["changes"] == [client.get(f"{API}/changes").json()[0]["id"]]
    for name in ("bob95.jpg", "ann95.jpg", "ann85.jpg"):
        shown = client.get(f"{API}/samples/{crops[name]}/image")
        pixels = np.asarray(Image.open(io.BytesIO(shown.content))).transpose(2, 0, 1)
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == crops[name]
    check_problem(client.get(f"{API}/samples/{crops['bob85.jpg']}/image"), 404)
