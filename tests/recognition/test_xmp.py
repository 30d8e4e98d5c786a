"""Names in XMP: ours are written and replaced, what others wrote stays, and what is damaged is left alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from PIL import Image, ImageDraw

from facerec.crops import read_header, read_photo
from facerec.errors import DataError, GalleryError
from facerec.faces import Face
from facerec.gallery.names import clean_name
from facerec.recognition.xmp import Area, area_of, pair_up, read_people, sidecar_of, write_people

ANN, BEA = Area(0.1, 0.2, 0.3, 0.5), Area(0.6, 0.55, 0.8, 0.9)
NAMESPACES = """xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
  xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
  xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
  xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:crs="http://ns.adobe.com/camera-raw/"
"""
OTHERS = """<dc:subject><rdf:Bag><rdf:li>beach</rdf:li></rdf:Bag></dc:subject>
 <crs:ToneCurve><rdf:Seq><rdf:li>0, 0</rdf:li></rdf:Seq></crs:ToneCurve><!-- by hand -->
 <mwg-rs:Regions rdf:parseType="Resource">
  <mwg-rs:AppliedToDimensions stDim:w="64" stDim:h="48" stDim:unit="pixel"/>
  <mwg-rs:RegionList><rdf:Bag>
   <rdf:li><rdf:Description mwg-rs:Name="Rex" mwg-rs:Type="Pet">
    <mwg-rs:Area stArea:x=".7" stArea:y=".7" stArea:w=".2" stArea:h=".3"/></rdf:Description></rdf:li>
   <rdf:li rdf:parseType="Resource"><mwg-rs:Type>BarCode</mwg-rs:Type></rdf:li>
   <rdf:li rdf:parseType="Resource"><mwg-rs:Type>Face</mwg-rs:Type>
    <mwg-rs:Area stArea:x=".7" stArea:y=".7" stArea:w=".2" stArea:h=".3"/></rdf:li>
  </rdf:Bag></mwg-rs:RegionList>
 </mwg-rs:Regions>
 <MP:RegionInfo><rdf:Description><MPRI:Regions><rdf:Bag>
  <rdf:li MPReg:PersonDisplayName="Ida" MPReg:PersonEmailDigest="1234"/>
 </rdf:Bag></MPRI:Regions></rdf:Description></MP:RegionInfo>
 <Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Ida</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>"""


def xmp(properties: str, before: str = "") -> str:
    rdf = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    return f"{before}<rdf:RDF {rdf}><rdf:Description {NAMESPACES}>{properties}</rdf:Description></rdf:RDF>"


def mwg(*regions: str, width: int = 64, height: int = 48) -> str:
    return f"""<mwg-rs:Regions rdf:parseType="Resource">
      <mwg-rs:AppliedToDimensions stDim:w="{width}" stDim:h="{height}" stDim:unit="pixel"/>
      <mwg-rs:RegionList><rdf:Bag>{"".join(regions)}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"""


def region(
    name: str, x: object = 0.5, y: object = 0.5, w: object = 0.2, h: object = 0.2, unit: str = "normalized"
) -> str:
    return f"""<rdf:li rdf:parseType="Resource"><mwg-rs:Name>{name}</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type>
      <mwg-rs:Area stArea:x="{x}" stArea:y="{y}" stArea:w="{w}" stArea:h="{h}" stArea:unit="{unit}"/></rdf:li>"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "a.jpg"
    Image.new("RGB", (64, 48), "teal").save(file)
    return file


@pytest.fixture
def sidecar(photo: Path) -> Callable[[str], Path]:
    """Writes the file beside the photo."""

    def write(content: str) -> Path:
        file = photo.with_name("a.jpg.xmp")
        file.write_text(content)
        return file

    return write


def found(photo: Path) -> dict[str, Area]:
    return {name: Area(*np.round(area, 5).tolist()) for name, area in read_people(photo).regions}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    text=st.text(min_size=1, max_size=40)
    | st.sampled_from(["<Ann> & 'Bea' \"]]>\"", "李小龙", "מרים", "José", "👩‍🚀"])
)
def test_every_name_of_a_gallery_comes_back_or_is_refused(photo: Path, text: str) -> None:
    sidecar_of(photo).unlink(missing_ok=True)
    try:
        name = clean_name(text)
    except GalleryError:
        return
    if {"\ufffe", "\uffff"} & {*name}:  # XML has no form for them
        with pytest.raises(DataError, match=r"a\.jpg\.xmp: .*XML"):
            write_people(photo, [(name, ANN)])
        assert not sidecar_of(photo).exists()
        return
    assert write_people(photo, [(name, ANN)]) == sidecar_of(photo)
    assert found(photo) == {name: ANN}


def test_what_others_wrote_stays(photo: Path, sidecar: Callable[[str], Path]) -> None:
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n<?editor note?>\n'
    file = sidecar(xmp(OTHERS, declaration))
    others = etree.canonicalize(file.read_text(), with_comments=True, strip_text=True)
    assert write_people(photo, [("Ann", ANN), ("Bea", BEA)]) == file
    assert found(photo) == {"Ann": ANN, "Bea": BEA}
    assert file.read_text().startswith("<?xml")
    assert "<?editor note?>" in file.read_text()
    moved = Area(0.4, 0.2, 0.6, 0.5)
    assert write_people(photo, [("Ann", moved)]) == file
    assert found(photo) == {"Ann": moved}
    assert write_people(photo, [("Ann", moved)]) is None
    assert read_people(photo).unplaced == ["Ida"]
    assert write_people(photo, []) == file
    assert etree.canonicalize(file.read_text(), with_comments=True, strip_text=True) == others


def test_nothing_is_written_for_nobody(photo: Path, sidecar: Callable[[str], Path]) -> None:
    assert write_people(photo, []) is None
    assert not sidecar_of(photo).exists()
    file = sidecar(xmp(OTHERS))
    before = file.stat()
    assert write_people(photo, []) is None
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert file.read_text() == xmp(OTHERS)


def test_a_region_that_somebody_renamed_is_theirs(photo: Path) -> None:
    file = write_people(photo, [("Ann", ANN), ("Bea", BEA)])
    assert file
    file.write_text(file.read_text().replace("<mwg-rs:Name>Ann<", "<mwg-rs:Name>Anna<"))
    for faces in ([("Ann", ANN)], [("Cleo", ANN)], []):
        write_people(photo, faces)
        assert found(photo) == {"Anna": ANN}


def test_a_face_that_somebody_named_is_left_to_them(photo: Path, sidecar: Callable[[str], Path]) -> None:
    wide = region("Ann's wife", 0.2, 0.35, 0.35, 0.5)
    file = sidecar(xmp(mwg(wide)))
    assert write_people(photo, [("Ann", ANN), ("Bea", BEA)]) == file
    assert {*found(photo)} == {"Ann's wife", "Bea"}
    embedded = photo.with_name("b.jpg")
    with Image.open(photo) as picture:
        picture.save(embedded, xmp=xmp(mwg(wide)).encode())
    write_people(embedded, [("Ann", ANN), ("Bea", BEA)])
    assert "Ann<" not in sidecar_of(embedded).read_text()
    assert {*found(embedded)} == {"Ann's wife", "Bea"}


def test_the_name_of_a_region_that_another_program_took_over_stays(photo: Path) -> None:
    file = write_people(photo, [("Ann", ANN), ("Bea", BEA)])
    assert file
    tree = etree.parse(file)
    for mark in [*tree.iter("{urn:facerec:xmp:1.0/}Name")]:  # as a program does that knows no such field
        mark.getparent().remove(mark)
    tree.write(file, encoding="UTF-8")
    write_people(photo, [])
    assert found(photo) == {"Ann": ANN, "Bea": BEA}
    assert file.read_text().count("<rdf:li>Ann</rdf:li>") == 1


def test_microsofts_rectangle_begins_in_the_corner(photo: Path, sidecar: Callable[[str], Path]) -> None:
    item = '<rdf:li><rdf:Description MPReg:PersonDisplayName="{}" MPReg:Rectangle="{}"/></rdf:li>'
    items = item.format("Ann", "0.1, 0.2, 0.2, 0.3") + item.format("Bea", "0,6, 0,55, 0,2, 0,35")
    regions = f"<MPRI:Regions><rdf:Bag>{items}</rdf:Bag></MPRI:Regions>"
    sidecar(xmp(f'<MP:RegionInfo rdf:parseType="Resource">{regions}</MP:RegionInfo>'))
    assert found(photo) == {"Ann": ANN}
    assert read_people(photo).problems == ["Bea: the region's area is not given by four numbers"]


def test_one_face_is_named_once(photo: Path, sidecar: Callable[[str], Path]) -> None:
    """MWG before Microsoft, beside the photo before inside it, and what people say before what we do."""
    write_people(photo, [("Ann", ANN)])
    ours = sidecar_of(photo).read_bytes()
    sidecar_of(photo).unlink()
    with Image.open(photo) as picture:
        picture.save(photo, xmp=ours)
    assert found(photo) == {"Ann": ANN}
    sidecar(xmp(mwg(region("Anna", 0.21, 0.35, 0.2, 0.3), region("Bea"))))
    people = read_people(photo)
    assert [name for name, _ in people.regions] == ["Anna", "Bea"]
    assert (people.unplaced, people.problems) == ([], [])
    sidecar(xmp(mwg(region("Anna", 0.21, 0.35, 0.2, 0.3), region("Cleo", 0.2, 0.35, 0.2, 0.3))))
    assert read_people(photo).problems == ["Cleo: the region of Anna lies in the same place"]


@pytest.mark.parametrize(
    ("area", "problem"),
    [
        ({"w": 0}, "covers nothing of the photo"),
        ({"x": 3}, "covers nothing of the photo"),
        ({"x": "NaN"}, "is not given by four numbers"),
        ({"h": "1e999"}, "is not given by four numbers"),
        ({"y": ""}, "is not given by four numbers"),
        ({"unit": "pixel"}, "given in pixel, not normalized"),
    ],
)
def test_an_area_that_makes_no_sense_is_refused(
    photo: Path, sidecar: Callable[[str], Path], area: dict[str, str], problem: str
) -> None:
    file = sidecar(xmp(mwg(region("Ann", **area))))
    people = read_people(photo)
    assert not people.regions
    [said] = people.problems
    assert said.startswith("Ann: ")
    assert problem in said
    before = file.read_text()
    write_people(photo, [("Bea", BEA)])
    write_people(photo, [])
    assert ">Ann<" in file.read_text()
    assert etree.canonicalize(before, strip_text=True) == etree.canonicalize(file.read_text(), strip_text=True)


def test_regions_of_a_photo_that_was_turned_or_cut_since(photo: Path, sidecar: Callable[[str], Path]) -> None:
    file = sidecar(xmp(mwg(region("Ann"), width=4800, height=6400)))
    assert read_people(photo) == (
        [],
        [],
        ["the regions were made for 4800x6400 pixels, and the photo has 64x48"],
    )
    before = file.read_bytes()
    with pytest.raises(DataError, match=r"a\.jpg\.xmp: the regions were made for .*; it is left as it is"):
        write_people(photo, [("Bea", BEA)])
    assert file.read_bytes() == before
    sidecar(xmp(mwg(region("Ann"), width=6400, height=4800)))  # was made smaller
    assert {*found(photo)} == {"Ann"}
    file.unlink()
    write_people(photo, [("Ann", ANN)])
    Image.new("RGB", (48, 64)).save(photo)
    assert not read_people(photo).regions
    write_people(photo, [("Ann", BEA)])  # ours are made anew
    assert found(photo) == {"Ann": BEA}


_BOMB = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
DAMAGED = {
    "empty": "",
    "cut": xmp(OTHERS)[:400],
    "other": "<html/>",
    "text": "Ann, Bea",
    "zeros": "\0" * 64,
    "twice": xmp(OTHERS) * 2,
    "prefix": xmp("<foo:bar/>"),
    "entity": xmp(mwg(region("&ann;"))),
    "deep": "<a>" * 100_000 + "</a>" * 100_000,
    "bomb": xmp(mwg(region("&j;")), f'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">{_BOMB}]>'),
    "bomb in an attribute": xmp(mwg(region("Ann", "&j;")), f'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">{_BOMB}]>'),
    "outside": xmp(mwg(region("&a;")), '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]>'),
    "subset": xmp(mwg(region("Ann")), '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">'),
    "huge": xmp(OTHERS) + " " * 2**24,
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_damaged_or_dangerous_is_left_as_it_is(
    photo: Path, sidecar: Callable[[str], Path], kind: str
) -> None:
    file = sidecar(DAMAGED[kind])
    for use in (lambda: read_people(photo), lambda: write_people(photo, [("Ann", ANN)])):
        with pytest.raises(DataError, match=r"a\.jpg\.xmp: ") as raised:
            use()
        assert "\n" not in str(raised.value)
    assert file.read_text() == DAMAGED[kind]
    assert sorted(path.name for path in photo.parent.iterdir()) == ["a.jpg", "a.jpg.xmp"]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_bytes_that_were_changed_are_read_or_refused(
    photo: Path, sidecar: Callable[[str], Path], data: st.DataObject
) -> None:
    content = bytearray(xmp(OTHERS + mwg(region("Ann"))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    file = sidecar("")
    file.write_bytes(content)
    try:
        write_people(photo, [("Bea", BEA)])
    except DataError:
        assert file.read_bytes() == content
    else:
        assert ">Bea<" in file.read_text()


def test_other_encodings(photo: Path, sidecar: Callable[[str], Path]) -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?>' + xmp(mwg(region("Zoë 李")))
    sidecar("").write_bytes(text.encode("utf-16"))
    assert {*found(photo)} == {"Zoë 李"}
    write_people(photo, [("Bea", BEA)])
    assert {*found(photo)} == {"Zoë 李", "Bea"}
    assert ">Zoë 李<" in sidecar_of(photo).read_bytes().decode("utf-8")


def test_which_file_is_beside_a_photo(tmp_path: Path) -> None:
    photo, own, short = (tmp_path / name for name in ("a.jpg", "a.jpg.xmp", "a.xmp"))
    photo.touch()
    assert sidecar_of(photo) == own
    short.touch()
    assert sidecar_of(photo) == short
    (tmp_path / "a.cr2").touch()  # whose it may be
    assert sidecar_of(photo) == own
    (tmp_path / "a.cr2").unlink()
    own.touch()
    assert sidecar_of(photo) == own


def test_rights_and_links_stay(photo: Path, sidecar: Callable[[str], Path]) -> None:
    file = sidecar(xmp(OTHERS))
    file.chmod(0o640)
    elsewhere = file.rename(photo.with_name("elsewhere"))
    file.symlink_to(elsewhere)
    write_people(photo, [("Ann", ANN)])
    assert file.is_symlink()
    assert elsewhere.stat().st_mode & 0o777 == 0o640
    assert ">Ann<" in elsewhere.read_text()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_inside_the_photo(photo: Path, kind: str) -> None:
    pytest.importorskip("pyexiv2", reason="pyexiv2 is not installed")
    file = photo.with_name(f"inside.{kind.lower()}")
    with Image.open(photo) as picture:
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "Camera"
        picture.save(file, kind, exif=exif)
    before = read_photo(file)
    assert write_people(file, [("Ann & 李", ANN)], inside=True) == file
    assert np.array_equal(read_photo(file), before)
    assert found(file) == {"Ann & 李": ANN}
    assert write_people(file, [("Ann & 李", ANN)], inside=True) is None
    with Image.open(file) as picture:
        assert picture.getexif()[0x010F] == "Camera"
    assert not sidecar_of(file).exists()


def test_a_format_that_holds_no_xmp_is_left_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("pyexiv2", reason="pyexiv2 is not installed")
    file = tmp_path / "a.ppm"
    Image.new("RGB", (64, 48)).save(file)
    before = file.read_bytes()
    with pytest.raises(DataError, match=r"a\.ppm: XMP can't be written into it"):
        write_people(file, [("Ann", ANN)], inside=True)
    assert file.read_bytes() == before


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    orientation=st.integers(1, 8),
    kind=st.sampled_from(["JPEG", "PNG", "TIFF"]),
    corners=st.tuples(*[st.integers(0, 9)] * 4).filter(lambda c: c[0] != c[2] and c[1] != c[3]),
)
def test_regions_are_of_the_stored_photo(
    tmp_path: Path, orientation: int, kind: str, corners: tuple[int, int, int, int]
) -> None:
    """A white rectangle is stored, and Pillow turns it; what is written of the turned one is where it is stored."""
    file = tmp_path / f"turned.{kind.lower()}"
    sidecar_of(file).unlink(missing_ok=True)
    left, right = sorted((corners[0], corners[2]))
    top, bottom = sorted((corners[1], corners[3]))
    stored = Area(left / 10, top / 10, right / 10, bottom / 10)
    picture = Image.new("RGB", (160, 80))
    ImageDraw.Draw(picture).rectangle((left * 16, top * 8, right * 16 - 1, bottom * 8 - 1), fill="white")
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(file, kind, exif=exif)
    upright = read_photo(file)
    rows, columns = np.nonzero(upright[..., 0] > 127)
    box = np.array([columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5], np.float32)
    assert write_people(file, [("Ann", area_of(Face(box, np.zeros((5, 2), np.float32), 1), upright.shape[:2]))])
    written = etree.parse(sidecar_of(file)).find(".//{*}Area")
    x, y, width, height = (float(value) for key, value in written.attrib.items() if not key.endswith("unit"))
    given = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    assert np.allclose(given, stored, atol=0.02)  # JPEG blurs edges by a pixel
    [(_, area)] = read_people(file).regions
    assert np.allclose(np.array(area) * np.tile(upright.shape[1::-1], 2), box + 0.5, atol=1e-3)
    assert read_header(file).size == (160, 80)


def test_the_greatest_overlap_says_which_face_is_meant() -> None:
    faces = [Area(0.1, 0.1, 0.2, 0.3), Area(0.2, 0.1, 0.3, 0.3), Area(0.7, 0.7, 0.8, 0.9)]
    heads = [Area(0.16, 0.05, 0.34, 0.35), Area(0.06, 0.05, 0.24, 0.35), Area(0.5, 0.1, 0.6, 0.3), Area(0, 0, 1, 1)]
    assert pair_up(heads, faces) == [1, 0, None, None]
    assert pair_up(heads, []) == [None] * 4
    assert pair_up([], faces) == []
    assert pair_up([faces[0], heads[1]], faces) == [0, None]
    assert pair_up([heads[1], faces[0]], faces) == [None, 0]


@given(st.integers(1, 8), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_turning_back(orientation: int, edges: list[float]) -> None:
    (x0, x1), (y0, y1) = sorted(edges[:2]), sorted(edges[2:])
    area = Area(x0, y0, x1, y1)
    assert np.allclose(area.turned(orientation).turned_back(orientation), area)
    assert np.allclose(area.turned_back(orientation).turned(orientation), area)
