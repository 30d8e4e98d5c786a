"""From a gallery into the XMP of photos and back: the jobs, on real photos."""

import base64
import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from facerec.backbones import ResNet
from facerec.crops import read_photo
from facerec.errors import ConfigError, GalleryError, RefusedError
from facerec.faces import crop_faces
from facerec.gallery import Gallery
from facerec.job import CONFIG_DIR
from facerec.models import store as model
from facerec.models.embedder import Embedder
from facerec.recognition.xmp import area_of, sidecar_of
from tests.conftest import Run
from tests.gallery.conftest import short_folder
from tests.recognition.exiftool import exiftool_writes, needs_exiftool

Printed = Callable[..., str]
NAMES = {"obama": "Barack <Obama> & Söhne", "biden": "Joe, Jr. 拜登", "kit_harington": "=Kit"}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained embedder: it knows a face in a photo again, and no other."""
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, embedding_dim=16, stem="imagenet"), mean=(127.0,) * 3, std=(70.0,) * 3)
    folder = tmp_path_factory.mktemp("models") / "model"
    model.save(folder, embedder, statistics={}, origin={"dataset": "noise"})
    return folder


@pytest.fixture
def galleries() -> Iterator[Path]:
    """A folder for them."""
    path = short_folder()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def album(real_data: Path, tmp_path: Path) -> Path:
    """Photos in folders of three persons."""
    for folder, name in NAMES.items():
        shutil.copytree(real_data / "albums" / "actors" / "enroll" / folder, tmp_path / "album" / name)
    return tmp_path / "album"


@pytest.fixture
def printed(run: Run, galleries: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]) -> Printed:
    """Runs a job on the gallery of that name; what it prints on standard output."""

    def on(name: str, job: str, *overrides: str) -> str:
        url = f"gallery.url={galleries / name}"
        run.raising(job, url, f"model={model_folder}", "threshold=0.999999", *overrides)
        return capsys.readouterr().out

    return on


def samples(galleries: Path, name: str, model_folder: Path) -> dict[str, set[str]]:
    with Gallery.open(galleries / name, model_folder) as gallery:
        return {one.name: {sample.crop for sample in gallery.show(one.name)[1]} for one in gallery.persons()}


def test_names_go_out_and_come_back(
    printed: Printed, album: Path, galleries: Path, model_folder: Path, tmp_path: Path
) -> None:
    printed("g", "enroll", f"photos={album}")
    enrolled = samples(galleries, "g", model_folder)
    assert {*enrolled} == {*NAMES.values()}
    photos = sorted(album.rglob("*.jp*g"))
    assert len(photos) == 6

    flat = tmp_path / "flat"  # no folder says a name
    flat.mkdir()
    for photo in photos:
        shutil.copy(photo, flat / f"{photo.parent.name}_{photo.name}")
    damaged = sidecar_of(min(flat.iterdir()))
    damaged.write_text("<x:xmpmeta")
    with pytest.raises(RefusedError, match="the XMP of 1 photos could not be written"):
        printed("g", "identify", f"photos={flat}", "xmp=true")
    assert damaged.read_text() == "<x:xmpmeta"
    assert len([*flat.glob("*.xmp")]) == 6
    with pytest.raises(RefusedError, match="1 of 6 regions were refused"):
        printed("fresh", "enroll", f"photos={flat}", "people=xmp")
    damaged.unlink()
    printed("g", "identify", f"photos={flat}", "xmp=true")
    said = printed("fresh", "enroll", f"photos={flat}", "people=xmp")
    assert "6 regions, 0 refused; 3 persons, 6 samples now" in said
    assert samples(galleries, "fresh", model_folder) == enrolled

    times = {file: file.stat().st_mtime_ns for file in flat.glob("*.xmp")}
    printed("g", "identify", f"photos={flat}", "xmp=true")
    assert {file: file.stat().st_mtime_ns for file in flat.glob("*.xmp")} == times


def test_unknown_faces_are_not_written(printed: Printed, album: Path, real_data: Path, tmp_path: Path) -> None:
    printed("g", "enroll", f"photos={album}")
    photo = shutil.copy(real_data / "albums" / "actors" / "photos" / "two_people.jpg", tmp_path / "two.jpg")
    lines = [json.loads(line) for line in printed("g", "identify", f"photos={photo}", "xmp=true").splitlines()]
    assert [line["person"] for line in lines] == [None, None]
    assert not sidecar_of(Path(photo)).exists()


def test_what_is_wrong_with_the_command_is_said(printed: Printed, album: Path) -> None:
    for wrong, message in (
        (("enroll", "people=exif"), "people: must be folders, xmp or table, not exif"),
        (("enroll", "people=xmp", "person=Ann"), "person: with people=xmp the photos say who is in them"),
        (("identify", "xmp=maybe"), "xmp: must be true, false or embed, not maybe"),
        (("identify", "format=xml"), "format: must be json or csv, not xml"),
    ):
        with pytest.raises(ConfigError, match=message):
            printed("g", wrong[0], f"photos={album}", *wrong[1:])
    with pytest.raises(GalleryError, match="nobody was enrolled"):
        printed("g", "enroll", f"photos={album}", "people=xmp")


@needs_exiftool
def test_regions_of_another_program(
    printed: Printed,
    real_data: Path,
    tmp_path: Path,
    galleries: Path,
    model_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A photo that lies on its side, heads drawn by hand, a region without a face, a name without a region."""
    photo = tmp_path / "photos" / "two.png"
    photo.parent.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(real_data / "albums" / "actors" / "photos" / "obama_and_biden.jpg") as picture:
        picture.transpose(Image.Transpose.ROTATE_90).save(photo, exif=exif)
    pixels = read_photo(photo)
    detector = instantiate(OmegaConf.load(CONFIG_DIR / "detector" / "retinaface.yaml"))
    [cropped] = crop_faces([photo], [pixels], detector, which="all", min_size=20, min_score=0.8)
    biden, obama = sorted(range(2), key=lambda row: float(cropped.accepted[row].box[0]))
    regions = []
    for name, row in (("Joe", biden), ("Barack", obama)):
        x0, y0, x1, y1 = area_of(cropped.accepted[row], pixels.shape[:2]).turned_back(6)
        sides = {"X": (x0 + x1) / 2, "Y": (y0 + y1) / 2, "W": 1.6 * (x1 - x0), "H": 1.6 * (y1 - y0)}
        regions.append({"Name": name, "Type": "Face", "Area": {**sides, "Unit": "normalized"}})
    corner = {"X": 0.02, "Y": 0.02, "W": 0.04, "H": 0.04, "Unit": "normalized"}
    regions += [{"Name": "Nobody", "Type": "Face", "Area": corner}, {"Name": "Rex", "Type": "Pet", "Area": corner}]
    tags = {"XMP-mwg-rs:RegionInfo": {"RegionList": regions}, "XMP-iptcExt:PersonInImage": ["Joe", "Ida"]}
    exiftool_writes(photo, tags)

    with pytest.raises(RefusedError, match="1 of 3 regions were refused"):
        printed("g", "enroll", f"photos={photo.parent}", "people=xmp")
    said = capsys.readouterr().out
    assert f"refused {photo} of Nobody: no face found in the region" in said
    assert f"passed over in {photo}: Ida; named without a region" in said
    crops = {
        name: hashlib.sha256(cropped.crops[row]).hexdigest() for name, row in (("Joe", biden), ("Barack", obama))
    }
    assert samples(galleries, "g", model_folder) == {name: {crop} for name, crop in crops.items()}


def test_lines_are_utf8_wherever(
    album: Path, galleries: Path, model_folder: Path, child_environment: dict[str, str]
) -> None:
    environment = {**child_environment, "LC_ALL": "C", "PYTHONIOENCODING": "latin-1"}

    def output(job: str, *overrides: str) -> bytes:
        command = [
            sys.executable,
            "-m",
            f"facerec.{job}",
            f"gallery.url={galleries / 'g'}",
            f"model={model_folder}",
        ]
        command += ["threshold=0.999999", *overrides]
        done = subprocess.run(command, env=environment, cwd=galleries, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    table = output("enroll", f"photos={album}").decode("latin-1")  # for people, in what their terminal shows
    assert r"Joe, Jr. \u62dc\u767b" in table
    photo = album / NAMES["biden"] / os.fsdecode("\u5f20,\n".encode() + b"\xff.jpg")
    (album / NAMES["biden"] / "biden.jpg").rename(photo)
    environment["PYTHONUTF8"] = "0"  # the names of files are ASCII and escapes now
    table = output("identify", f"photos={photo.parent}", "format=csv").decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["person"] for row in rows] == [NAMES["biden"]] * 2
    assert {base64.b64decode(row["photo_bytes"]) for row in rows} == {b"", os.fsencode(photo)}
    lines = [json.loads(line.decode("utf-8")) for line in output("identify", f"photos={photo.parent}").splitlines()]
    assert [line["person"] for line in lines] == [NAMES["biden"]] * 2
