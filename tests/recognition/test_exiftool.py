"""exiftool reads what we write and we read what exiftool writes: the same names and areas."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facerec.recognition.xmp import Area, read_people, sidecar_of, write_people
from tests.recognition.exiftool import exiftool_reads, exiftool_writes, needs_exiftool

pytestmark = needs_exiftool
NAMES = ["José <b> & \"Söhne\" 'x'", "李小龙", "מרים 🚀", "Ann, Jr."]
AREAS = [Area(0.1, 0.2, 0.3, 0.5), Area(0.6, 0.55, 0.8, 0.9), Area(0.35, 0.0, 0.5, 0.2), Area(0.0, 0.7, 0.3, 1.0)]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (640, 480), "teal").save(file, exif=exif)
    return file


@pytest.mark.parametrize("inside", [False, True])
def test_exiftool_reads_what_we_write(photo: Path, inside: bool) -> None:
    if inside:
        pytest.importorskip("pyexiv2", reason="pyexiv2 is not installed")
    stored = [area.turned_back(8) for area in AREAS]
    file = write_people(photo, list(zip(NAMES, AREAS, strict=True)), inside=inside)
    assert file
    tags = exiftool_reads(file)
    regions = tags["RegionInfo"]["RegionList"]
    assert tags["RegionInfo"]["AppliedToDimensions"] == {"W": 640, "H": 480, "Unit": "pixel"}
    assert [region["Name"] for region in regions] == NAMES
    assert {region["Type"] for region in regions} == {"Face"}
    centres = [[region["Area"][key] for key in "XYWH"] for region in regions]
    expected = [
        [(area.x0 + area.x1) / 2, (area.y0 + area.y1) / 2, area.x1 - area.x0, area.y1 - area.y0] for area in stored
    ]
    assert np.allclose(centres, expected, atol=1e-6)
    people = tags["RegionInfoMP"]["Regions"]
    assert [person["PersonDisplayName"] for person in people] == NAMES
    corners = [[float(value) for value in person["Rectangle"].split(",")] for person in people]
    assert np.allclose(corners, [[a.x0, a.y0, a.x1 - a.x0, a.y1 - a.y0] for a in stored], atol=1e-6)
    assert tags["PersonInImage"] == NAMES


@pytest.mark.parametrize("kind", ["MWG", "Microsoft"])
@pytest.mark.parametrize("inside", [False, True])
def test_we_read_what_exiftool_writes(photo: Path, kind: str, inside: bool) -> None:
    file = photo if inside else sidecar_of(photo)
    stored = [area.turned_back(8) for area in AREAS]
    if kind == "MWG":
        regions = [
            {
                "Name": name,
                "Type": "Face",
                "Area": {
                    "X": (area.x0 + area.x1) / 2,
                    "Y": (area.y0 + area.y1) / 2,
                    "W": area.x1 - area.x0,
                    "H": area.y1 - area.y0,
                    "Unit": "normalized",
                },
            }
            for name, area in zip(NAMES, stored, strict=True)
        ]
        size = {"W": 640, "H": 480, "Unit": "pixel"}
        tags = {"XMP-mwg-rs:RegionInfo": {"AppliedToDimensions": size, "RegionList": regions}}
    else:
        people = [
            {
                "PersonDisplayName": name,
                "Rectangle": f"{area.x0}, {area.y0}, {area.x1 - area.x0}, {area.y1 - area.y0}",
            }
            for name, area in zip(NAMES, stored, strict=True)
        ]
        tags = {"XMP-MP:RegionInfoMP": {"Regions": people}}
    exiftool_writes(file, {**tags, "XMP-iptcExt:PersonInImage": [*NAMES, "somebody else"]})
    people_read = read_people(photo)
    assert [name for name, _ in people_read.regions] == NAMES
    assert np.allclose([area for _, area in people_read.regions], AREAS, atol=1e-6)
    assert (people_read.unplaced, people_read.problems) == (["somebody else"], [])


def test_what_exiftool_wrote_stays_and_what_it_kept_is_ours(photo: Path) -> None:
    file = sidecar_of(photo)
    theirs = {"Name": "Rex", "Type": "Pet", "Area": {"X": 0.5, "Y": 0.5, "W": 0.1, "H": 0.1, "Unit": "normalized"}}
    exiftool_writes(file, {"XMP-dc:Title": "Höhe", "XMP-mwg-rs:RegionInfo": {"RegionList": [theirs]}})
    before = exiftool_reads(file)
    write_people(photo, [("Ann", AREAS[0]), ("Bea", AREAS[1])])
    exiftool_writes(file, {"XMP-dc:Description": "at the sea"})  # rewrites the whole file
    write_people(photo, [("Bea", AREAS[1])])
    tags = exiftool_reads(file)
    assert [region["Name"] for region in tags["RegionInfo"]["RegionList"]] == ["Rex", "Bea"]
    assert tags["PersonInImage"] == ["Bea"]
    write_people(photo, [])
    after = exiftool_reads(file)
    assert after.pop("Description") == "at the sea"
    after["RegionInfo"].pop("AppliedToDimensions")
    assert after == before
