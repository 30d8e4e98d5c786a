"""The prepare job on folders of real photos, good and bad, killed and gone on with, alone and in shards."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from skimage.data import astronaut

from facerec.crops import align, read_photo
from facerec.crops.crop_file import crop_file
from facerec.data import folder
from facerec.errors import ConfigError, DataError
from facerec.preparation import Journal
from tests.conftest import Run

PHOTO = Image.fromarray(astronaut())


def _jpeg(picture: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People's folders with whatever people have in them."""
    root = tmp_path_factory.mktemp("photos")
    whole = _jpeg(PHOTO)
    group = Image.new("RGB", (1024, 512))
    group.paste(PHOTO, (0, 0))
    group.paste(PHOTO.resize((256, 256)), (600, 100))
    turned = Image.Exif()
    turned[0x0112] = 6
    files = {
        "ann/plain.jpg": whole,
        "ann/turned.jpg": _jpeg(PHOTO.rotate(90), exif=turned),
        "ann/on its side.jpg": _jpeg(PHOTO.rotate(90)),
        "ann/2020/summer/deep ü.JPG": whole,
        "ann/2020%2Fsummer%2Fdeep ü.JPG": whole,
        "ann/" + "long" * 60 + ".jpg": whole,
        "bob/group.jpg": _jpeg(group),
        "bob/nobody.jpg": _jpeg(Image.new("RGB", (300, 200), (90, 120, 80))),
        "bob/empty.jpg": b"",
        "bob/half.jpg": whole[: len(whole) // 2],
        "bob/text.jpg": b"I am no picture",
        "bob/notes.txt": b"not looked at",
        "loose.jpg": whole,
    }
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "cat" / "folder.jpg").mkdir(parents=True)
    return root


class Prepare(Protocol):
    def __call__(self, photos: Path, out: Path, *overrides: str) -> list[dict[str, Any]]: ...


@pytest.fixture
def prepare(run: Run) -> Prepare:
    """Runs the job and returns its manifest."""

    def prepare(photos: Path, out: Path, *overrides: str) -> list[dict[str, Any]]:
        run.raising("prepare", f"photos={photos}", f"out={out}", "data.batch_size=4", *overrides)
        return _rows(out)

    return prepare


def _rows(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "manifest").to_pylist()
    return sorted(rows, key=lambda row: (row["source"], -(row["score"] or 0)))


def test_a_folder_of_photos_as_people_have_them(prepare: Prepare, photos: Path, tmp_path: Path) -> None:
    rows = prepare(photos, tmp_path)
    assert len({row["source"] for row in rows}) == 12
    refused = {row["source"].rpartition("/")[2]: row["reason"] for row in rows if row["reason"]}
    assert refused.keys() == {"nobody.jpg", "empty.jpg", "half.jpg", "text.jpg"}
    assert refused["nobody.jpg"] == "no face"
    assert refused["empty.jpg"] == "unreadable: the file is empty"
    assert all("\n" not in reason and str(photos) not in reason for reason in refused.values())
    kept = [row for row in rows if row["crop"]]
    assert len(kept) == 9
    assert len({row["crop"] for row in kept}) == 9
    for row in kept:
        crop = read_photo(tmp_path / "crops" / row["crop"]).transpose(2, 0, 1)
        photo = read_photo(photos / row["source"])
        landmarks = np.array(row["landmarks"], np.float32).reshape(1, 5, 2)
        np.testing.assert_array_equal(crop, align(photo, landmarks)[0])
        assert (row["height"], row["width"]) == photo.shape[:2]
        assert row["person"] == (row["source"].split("/")[0] if "/" in row["source"] else "unknown")
        assert row["sharpness"] > 0
        assert row["score"] > 0.8
    assert [row["index"] for row in kept if row["source"] == "bob/group.jpg"] == [0, 1]
    settings = json.loads(pq.read_schema(tmp_path / "manifest" / "0-of-1.parquet").metadata[b"settings"])
    assert settings["detector"]["_target_"] == "facerec.faces.RetinaFaceDetector"
    assert settings["crop"]["template"] == "arcface-112"
    assert (tmp_path / "contact-sheet-0-of-1.png").exists()


def test_crops_are_a_data_set(prepare: Prepare, photos: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    for person in ("a", "b", "c", "d", "e", "f"):
        (people / person).mkdir(parents=True)
        for number in range(2):
            (people / person / f"{number}.jpg").write_bytes((photos / "ann" / "plain.jpg").read_bytes())
    rows = prepare(people, tmp_path / "out", "faces.which=largest")
    images = folder(str(tmp_path / "out" / "crops"))
    assert len(images.files) == len(rows) == 12
    assert set(images.identities) == {"a", "b", "c", "d", "e", "f"}
    crop = crop_file(images.files[0], None)  # as the crop cache reads it
    np.testing.assert_array_equal(crop, read_photo(images.files[0]).transpose(2, 0, 1))


def test_shards_make_the_whole(prepare: Prepare, photos: Path, tmp_path: Path) -> None:
    whole = prepare(photos, tmp_path / "whole")
    for shard in ("0/3", "1/3", "2/3"):
        parts = prepare(photos, tmp_path / "parts", f"shard={shard}")
    assert parts == whole


def test_done_photos_are_not_done_again_and_new_ones_are(prepare: Prepare, photos: Path, tmp_path: Path) -> None:
    mine, out = tmp_path / "photos", tmp_path / "out"
    (mine / "ann").mkdir(parents=True)
    (mine / "ann" / "0.jpg").write_bytes((photos / "ann" / "plain.jpg").read_bytes())
    first = out / "crops" / prepare(mine, out)[0]["crop"]
    written = first.stat().st_mtime_ns
    (mine / "ann" / "1.jpg").write_bytes((photos / "ann" / "plain.jpg").read_bytes())
    assert len(prepare(mine, out)) == 2
    assert first.stat().st_mtime_ns == written


def test_a_killed_run_goes_on(prepare: Prepare, photos: Path, tmp_path: Path) -> None:
    many, out = tmp_path / "photos", tmp_path / "out"
    (many / "ann").mkdir(parents=True)
    for number in range(80):
        (many / "ann" / f"{number:03}.jpg").write_bytes((photos / "bob" / "group.jpg").read_bytes())
    command = [sys.executable, "-m", "facerec.prepare", f"photos={many}", f"out={out}", "data.batch_size=2"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = out / "journal" / "0-of-1.jsonl"
    while run.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") >= 6):
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    done = journal.read_bytes().count(b"\n")
    assert 6 <= done < 80
    with journal.open("ab") as file:
        file.write(b'{"source": "ann/torn')  # as a kill in the middle of a line leaves it
    before = {file: file.stat().st_mtime_ns for file in (out / "crops" / "ann").glob(f"00[0-{min(done, 6) - 1}]*")}
    rows = prepare(many, out)
    assert len(rows) == 160
    assert len({row["crop"] for row in rows}) == 160
    assert all((out / "crops" / row["crop"]).exists() for row in rows)
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert np.ptp([row["score"] for row in rows if row["index"] == 0]) < 1e-4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["shard=4/4"], "shard must be i/n"),
        (["shard=1"], "shard must be i/n"),
        (["photos=/nowhere"], "photos: there is no folder /nowhere"),
        (["faces.which=best"], r"faces\.which must be"),
        (["detector.smallest=0"], r"detector\.smallest must be"),
        (["data.num_workers=0"], r"data\.num_workers must be"),
    ],
)
def test_what_can_not_work_is_said(
    prepare: Prepare, photos: Path, tmp_path: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(Exception, match=message):
        prepare(photos, tmp_path, *overrides)


def test_crops_of_two_settings_do_not_mix(prepare: Prepare, photos: Path, tmp_path: Path) -> None:
    prepare(photos / "bob", tmp_path)
    with pytest.raises(ConfigError, match=r"out: .* made with other faces"):
        prepare(photos / "bob", tmp_path, "faces.which=largest")
    with pytest.raises(ConfigError, match=r"out: .* made with other shards"):
        prepare(photos / "bob", tmp_path, "shard=0/2")


def test_what_an_earlier_version_began_goes_on(prepare: Prepare, photos: Path, tmp_path: Path) -> None:
    prepare(photos / "bob", tmp_path)
    file = tmp_path / "settings.json"
    settings = json.loads(file.read_text())
    detector = {**settings.pop("detector"), "_target_": "facerec.faces.RetinaFaceFinder"}
    file.write_text(json.dumps({**settings, "finder": detector}))
    prepare(photos / "bob", tmp_path)
    file.write_text(json.dumps({**settings, "finder": {**detector, "smallest": 99}}))
    with pytest.raises(ConfigError, match="made with other detector"):
        prepare(photos / "bob", tmp_path)


def test_half_a_file_of_settings_is_written_anew(prepare: Prepare, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"photos"')
    prepare(photos / "bob", tmp_path)
    assert json.loads((tmp_path / "settings.json").read_text())["photos"] == str(photos / "bob")


def test_a_place_that_can_not_be_written_is_told_and_the_photo_counts_as_not_done(
    photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "crops").write_text("no folder")
    command = [sys.executable, "-m", "facerec.prepare", f"photos={photos}", f"out={tmp_path}", "detector=none"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "a file lies where a folder is wanted; choose another place or move it (out)" in done.stdout
    assert "0 of 12 photos are done; the same command goes on with the rest" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_two_runs_do_not_share_a_journal(prepare: Prepare, photos: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "journal" / "0-of-1.jsonl"), pytest.raises(DataError, match="another run is at work"):
        prepare(photos / "bob", tmp_path)


def test_no_pictures_is_an_error(prepare: Prepare, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="photos: there are no photos at"):
        prepare(tmp_path, tmp_path / "out")


def test_command_line(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "facerec.prepare", f"photos={photos}", f"out={tmp_path}"]
    done = subprocess.run([*command, "detector=none"], capture_output=True, text=True, check=True)
    assert "refused: unreadable │ 3" in done.stdout
    assert "bob/text.jpg: unreadable" in done.stdout
    wrong = subprocess.run([*command, "+size=4"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "size: no such key" in wrong.stdout + wrong.stderr
    assert "Traceback" not in wrong.stdout + wrong.stderr
