"""Indexing real photos: what is read again, what a kill leaves, what a watcher hears."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facerec.data import orl
from facerec.errors import ConfigError, GalleryError, ModelError
from facerec.gallery import Gallery
from facerec.models import open_model
from tests.conftest import Run
from tests.gallery.conftest import short_folder

Job = Callable[..., None]
pytestmark = pytest.mark.server


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 6 photos of 3 ORL people, one that is none, and one that other software left."""
    root = tmp_path / "photos"
    for number, file in enumerate(orl_files(3, 2)):
        target = root / file.parent.name / f"{number}.pgm"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    (root / "broken.jpg").write_bytes(b"no photo")
    (root / "._0.pgm").write_bytes(b"of a Mac")
    return root


def orl_files(people: int, each: int) -> Sequence[Path]:
    files = sorted(orl().files, key=lambda file: (int(file.parent.name[1:]), int(file.stem)))
    return [file for file in files if int(file.parent.name[1:]) <= people and int(file.stem) <= each]


@pytest.fixture
def indexed(model_folder: Path) -> Iterator[Gallery]:
    path = short_folder()
    with Gallery.open(path / "g", model_folder) as gallery:
        yield gallery
    shutil.rmtree(path)


@pytest.fixture
def job(run: Run, indexed: Gallery, model_folder: Path) -> Job:
    """Runs a job on the gallery; its errors are raised."""

    def on_gallery(name: str, *overrides: str) -> None:
        given = [f"gallery.url={indexed.place}", f"model={model_folder}", *overrides]
        run.raising(name, *given, *(["detector=none"] if name in ("index", "enroll", "unknown") else []))

    return on_gallery


def start(
    indexed: Gallery, model: Path, photos: Path, environment: dict[str, str], log: Path, *given: str
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "facerec.index", f"photos={photos}", f"gallery.url={indexed.place}"]
    with log.open("w") as out:
        return subprocess.Popen(
            [*command, f"model={model}", "detector=none", *given], stdout=out, stderr=out, env=environment
        )


def wait_until(true: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 120
    while not true():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def paths(gallery: Gallery) -> set[str]:
    return {path.name for group in gallery.index.groups(least=1) for path in group.photos}


def test_only_what_is_new_or_changed_is_read(
    job: Job, indexed: Gallery, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job("index", f"photos={photos}")
    said = capsys.readouterr().out
    assert "of each face, known or not, a vector, its box and the hash of its crop, for 30d while nobody" in said
    assert f"can't be read: {photos / 'broken.jpg'}: this is not a photo that can be read" in said
    assert "7 photos read, 1 can't be; 0 forgotten, 0 faces expired; now 7 photos with 6 faces" in said
    assert paths(indexed) == {f"{number}.pgm" for number in range(6)}

    job("index", f"photos={photos}", "retention=null")
    said = capsys.readouterr().out
    assert "for good" in said
    assert "0 photos read, 1 can't be; 0 forgotten" in said
    assert "broken.jpg: this is not a photo" in said

    shutil.copy(photos / "s1" / "1.pgm", photos / "s1" / "0.pgm")  # as large as before
    os.utime(photos / "s1" / "0.pgm", (1, 1))
    (photos / "s3" / "5.pgm").unlink()
    shutil.copy(photos / "s2" / "2.pgm", photos / "broken.jpg")
    job("index", f"photos={photos}")
    assert (
        "2 photos read, 0 can't be; 1 forgotten, 0 faces expired; now 6 photos with 6 faces"
        in capsys.readouterr().out
    )
    crops = [face.crop for group in indexed.index.groups(least=1) for face in group.faces]
    assert len(set(crops)) == 4  # two pairs of copies

    job("index", f"photos={photos / 's2' / '2.pgm'}")
    assert "0 photos read, 0 can't be; 0 forgotten" in capsys.readouterr().out
    job("index", "forget=true", f"photos={photos / 's2'}")
    assert "2 photos are forgotten" in capsys.readouterr().out
    job("index", f"photos={photos}", "retention=0h")
    assert (
        "2 photos read, 0 can't be; 0 forgotten, 4 faces expired; now 6 photos with 2 faces"
        in capsys.readouterr().out
    )
    job("index", "forget=true")
    assert "6 photos are forgotten" in capsys.readouterr().out
    assert indexed.index.size() == (0, 0)


def test_a_group_is_named_and_its_photos_are_listed(
    job: Job, indexed: Gallery, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(photos / "s1" / "0.pgm", photos / "copy.pgm")
    job("index", f"photos={photos}")
    capsys.readouterr()
    job("unknown")
    said = capsys.readouterr().out
    groups = indexed.index.groups()
    [group] = [group for group in groups if {path.name for path in group.photos} == {"copy.pgm", "0.pgm"}]
    assert f"│ {group.id[:8]} │ 2     │ 2      │" in said
    job("unknown", f"group={group.id[:8]}", "name=Bea", "keep_crops=true")
    assert capsys.readouterr().out == "enrolled 1 face as Bea, who now has 1 sample\n"
    [sample] = indexed.show("Bea")[1]
    kept = indexed.kept_crop(sample.crop)
    assert kept is not None
    pixels = np.asarray(Image.open(io.BytesIO(kept))).transpose(2, 0, 1)
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == sample.crop
    job("photos", "of=Bea")
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert {Path(line["photo"]).name for line in lines if line["similarity"] == 1} == {"copy.pgm", "0.pgm"}
    assert lines[0].keys() == {"photo", "face", "box", "similarity", "probability"}
    assert "Photos of Bea" in captured.err
    with pytest.raises(GalleryError, match="Cid: nobody"):
        job("photos", "of=Cid")


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("index", [], "photos: must be given"),
        ("index", ["photos=/nowhere/at/all"], "there are no photos at /nowhere/at/all"),
        (
            "index",
            ["photos=.", "retention=30"],
            "retention: must be days or hours, such as 30d or 12h",
        ),
        ("unknown", ["group=3fa9"], "group.*: must be given"),
        ("unknown", ["group=3fa9", "name=Bea"], "group 3fa9: there is none"),
    ],
)
def test_mistakes_are_told(job: Job, name: str, given: list[str], message: str) -> None:
    with pytest.raises((ConfigError, GalleryError), match=message):
        job(name, *given)


def test_an_empty_folder_forgets_nothing(job: Job, indexed: Gallery, photos: Path) -> None:
    """A disk that is not mounted."""
    job("index", f"photos={photos}")
    photos.rename(photos.with_name("elsewhere"))
    photos.mkdir()
    with pytest.raises(ConfigError, match="there are no photos"):
        job("index", f"photos={photos}")
    assert indexed.index.size() == (7, 6)


def test_killed_while_indexing_no_photo_is_half_stored(
    indexed: Gallery, model_folder: Path, tmp_path: Path, child_environment: dict[str, str]
) -> None:
    root = tmp_path / "many"
    root.mkdir()
    for number, file in enumerate(orl_files(40, 4)):
        shutil.copy(file, root / f"{number}.pgm")
    log = tmp_path / "log"
    given = (indexed, model_folder, root, child_environment, log, "faces.batch_size=4")
    before = 0
    for _ in range(2):
        process = start(*given)
        wait_until(lambda: indexed.index.size().photos > before + 8, process, log)  # noqa: B023
        process.kill()
        process.wait()
        size = indexed.index.size()
        assert size.photos == size.faces
        assert size.photos % 4 == 0
        before = size.photos
    assert before < 160
    process = start(*given)
    assert process.wait(timeout=300) == 0, log.read_text()
    said = log.read_text()
    assert f"{160 - before} photos read, 0 can't be" in said
    assert indexed.index.size() == (160, 160)
    faces = [face for group in indexed.index.groups(least=1) for face in group.faces]
    assert {face.photo for face in faces} == set(root.resolve().iterdir())


def test_a_watcher_hears_of_new_changed_and_deleted_photos(
    indexed: Gallery, model_folder: Path, photos: Path, tmp_path: Path, child_environment: dict[str, str]
) -> None:
    pytest.importorskip("watchfiles", reason="watchfiles is not installed: pip install 'facerec[watch]'")
    log = tmp_path / "log"
    process = start(indexed, model_folder, photos, child_environment, log, "watch=true")
    try:
        wait_until(lambda: indexed.index.size() == (7, 6), process, log)
        [extra] = [file for file in orl_files(4, 1) if file.parent.name == "s4"]
        shutil.copy(extra, photos / "new.pgm")
        wait_until(lambda: indexed.index.size() == (8, 7), process, log)
        shutil.copy(extra, photos / "s1" / "0.pgm")
        copies = {"new.pgm", "0.pgm"}

        def changed() -> bool:
            faces = [face for group in indexed.index.groups(least=1) for face in group.faces]
            return len({face.crop for face in faces if face.photo.name in copies}) == 1

        wait_until(changed, process, log)
        (photos / "s1" / "0.pgm").unlink()
        wait_until(lambda: "0.pgm" not in paths(indexed), process, log)
        (photos / "s2").rename(photos / "renamed")
        wait_until(lambda: indexed.index.size() == (7, 6), process, log)
        for file in [file for file in photos.rglob("*.*") if file.suffix in (".pgm", ".jpg")]:
            file.unlink()
        wait_until(lambda: "there are no photos" in log.read_text(), process, log)
        shutil.copy(extra, photos / "first.pgm")
        wait_until(lambda: indexed.index.size() == (1, 1), process, log)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130, log.read_text()
    finally:
        process.kill()
        process.wait()


def test_people_of_an_album_are_grouped_named_and_found(
    run: Run, real_data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real photos, a real detector and a real model: eight people, five photos of several of them."""
    monkeypatch.delenv("FACEREC_CACHE")  # the user's may hold the model, and is only read
    try:
        model = open_model("sface", offline=True)
    except ModelError as error:
        pytest.skip(f"sface is not in the cache: {error}")
    album = real_data / "albums" / "sitcom"
    given = [f"gallery.url={folder}", "model=sface", "offline=true"]
    run.raising("index", f"photos={album}", *given)
    with Gallery.open(folder, model) as gallery:
        groups = [group for group in gallery.index.groups() if len(group.faces) >= 5]
        assert len(groups) == 8
        for group in groups:
            people = {path.parent.name for path in group.photos if path.parent.parent.name == "enroll"}
            assert len(people) == 1, people
            run.raising("unknown", f"group={group.id}", f"name={people.pop()}", *given)
        found = gallery.index.photos_of("sheldon")
        assert {face.photo.name for face, _ in found} >= {f"bbt{number}.jpg" for number in range(1, 6)}
        left = gallery.index.size().faces - gallery.size().samples
        assert len(gallery.index.questions()) == left
