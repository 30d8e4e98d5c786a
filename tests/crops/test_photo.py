"""Pictures as people have them: each is read upright, or refused in one line."""

import io
import struct
import tracemalloc
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from skimage.data import astronaut

from facerec.crops import Photo, read_photo
from facerec.crops.photo import MAX_PIXELS
from facerec.errors import DataError

COLOUR = (200, 60, 90)


def _bytes(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _photo() -> Image.Image:
    return Image.fromarray(astronaut()).resize((160, 120))


def _apart(photo: Photo, colour: tuple[int, int, int]) -> int:
    return int(np.abs(photo.astype(int) - colour).max())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM", "TIFF", "AVIF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_formats(kind: str, mode: str) -> None:
    source = _photo().convert(mode)
    photo = read_photo(_bytes(source, kind))
    assert photo.dtype == np.uint8
    assert photo.shape == (120, 160, 3)
    assert np.abs(photo.astype(int) - np.array(source.convert("RGB"))).mean() < 8  # what the format loses


def test_heic() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    heif = pillow_heif.from_pillow(Image.new("RGB", (64, 48), COLOUR))
    stream = io.BytesIO()
    heif.save(stream, format="HEIF")
    photo = read_photo(stream.getvalue())
    assert photo.shape == (48, 64, 3)
    assert _apart(photo, COLOUR) < 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_upright_whatever_the_camera_did(kind: str, orientation: int) -> None:
    upright = _photo()
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation → what the camera did, as Pillow's transpose
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    photo = read_photo(_bytes(stored, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})))
    expected = np.array(upright)
    assert photo.shape == expected.shape
    assert np.abs(photo.astype(int) - expected).mean() < 6


@pytest.mark.parametrize(
    "make",
    [
        lambda: _bytes(Image.new("CMYK", (40, 30), (0, 128, 128, 20)), "JPEG"),
        lambda: _bytes(Image.new("CMYK", (40, 30), (0, 128, 128, 20)), "TIFF"),
    ],
)
def test_cmyk(make: Callable[[], bytes]) -> None:
    expected = Image.new("CMYK", (1, 1), (0, 128, 128, 20)).convert("RGB").getpixel((0, 0))
    assert _apart(read_photo(make()), expected) < 8  # type: ignore[arg-type]


def test_transparent_parts_are_white() -> None:
    picture = Image.new("RGBA", (40, 30), (*COLOUR, 0))
    picture.paste((*COLOUR, 255), (0, 0, 20, 30))
    for kind in ("PNG", "WEBP", "TIFF"):
        photo = read_photo(_bytes(picture, kind, **({"lossless": True} if kind == "WEBP" else {})))
        assert _apart(photo[:, :20], COLOUR) < 4
        assert _apart(photo[:, 20:], (255, 255, 255)) < 4
    palette = read_photo(_bytes(picture.convert("P"), "GIF", transparency=0))
    assert palette.shape == (30, 40, 3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight(kind: str) -> None:
    values = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    photo = read_photo(_bytes(Image.fromarray(values), kind))
    assert np.abs(photo[..., 0] - values / 257).max() <= 1


@pytest.mark.parametrize(("kind", "white"), [("TIFF", 1), ("TIFF", 255), ("TIFF", 65535), ("PPM", 1)])
def test_floats_become_eight_bits(kind: str, white: float) -> None:
    values = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(48, 64)
    photo = read_photo(_bytes(Image.fromarray(values * np.float32(white)), kind))
    assert np.abs(photo[..., 0] - values * 255).max() <= 1
    assert not read_photo(_bytes(Image.fromarray(values * 0), kind)).any()


@pytest.mark.parametrize("white", [255, 65535])
def test_long_integers_become_eight_bits(white: int) -> None:
    values = np.linspace(0, white, 64 * 48).astype(np.int32).reshape(48, 64)
    photo = read_photo(_bytes(Image.fromarray(values), "TIFF"))
    assert np.abs(photo[..., 0] - values * (255 / white)).max() <= 1


@pytest.mark.parametrize("ends", [(0, 3.2), (0, 1000), (-1, 1), (0, 1e6), (0, np.nan), (0, np.inf)])
def test_values_that_may_mean_anything_are_refused(ends: tuple[float, float]) -> None:
    values = np.full((48, 64), ends[0], np.float32)
    values[0] = ends[1]
    with pytest.raises(DataError, match=r"photo: the range of its values, .*, does not tell .* white; save it"):
        read_photo(_bytes(Image.fromarray(values), "TIFF"))


def _png(chunk: str) -> bytes:
    """With 2 MB of text or colour profile, and turned."""
    text, exif = PngImagePlugin.PngInfo(), Image.Exif()
    if chunk != "iCCP":
        text.add_itxt("note", "x" * 2_000_000) if chunk == "iTXt" else text.add_text(
            "note", "x" * 2_000_000, zip=chunk == "zTXt"
        )
    exif[0x0112] = 6
    profile = {"icc_profile": bytes(3_000_000)} if chunk == "iCCP" else {}
    return _bytes(Image.new("RGB", (40, 30), COLOUR), "PNG", pnginfo=text, exif=exif, **profile)


def _exif(tag: int, kind: int) -> bytes:
    """As a JPEG holds it: turned by 90 degrees, and -1/0 in the tag."""
    tags = [(0x0112, 3, struct.pack("<HH", 6, 0)), (tag, kind, struct.pack("<I", 38))]
    listed = b"".join(struct.pack("<HHI", one, type_, 1) + value for one, type_, value in sorted(tags))
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + listed + struct.pack("<Iii", 0, -1, 0)


@pytest.mark.parametrize(
    "data",
    [
        *(_png(chunk) for chunk in ("tEXt", "zTXt", "iTXt", "iCCP")),
        *(
            _bytes(Image.new("RGB", (40, 30), COLOUR), "JPEG", exif=_exif(tag, kind))
            for tag in (0x011A, 0x829A, 0x9204)  # resolution, exposure time and bias
            for kind in (5, 10)  # rational, with a sign and without
        ),
    ],
)
def test_metadata_never_costs_the_pixels(data: bytes) -> None:
    photo = read_photo(data)
    assert photo.shape == (40, 30, 3)
    assert _apart(photo, COLOUR) < 8


def test_exif_that_can_not_be_read_turns_nothing() -> None:
    for exif in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f"):
        with warnings.catch_warnings(action="ignore"):
            photo = read_photo(_bytes(Image.new("RGB", (40, 30), COLOUR), "JPEG", exif=exif))
        assert photo.shape == (30, 40, 3)


def test_no_limit_but_ours() -> None:
    """Pillow warns from 89 million pixels on, and has another word for 179 million."""
    for height in (6000, 2**14):
        with warnings.catch_warnings(action="error"), pytest.raises(DataError, match="make the photo smaller"):
            read_photo(_bytes(Image.new("1", (2**14, height)), "PNG"), max_pixels=1000)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in (COLOUR, (0, 0, 0), (255, 255, 255))]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        photo = read_photo(_bytes(frames[0], kind, save_all=True, append_images=frames[1:]))
        assert photo.shape == (30, 40, 3)
        assert _apart(photo, COLOUR) < 8


def test_forty_megapixels() -> None:
    data = _bytes(Image.new("RGB", (8000, 5000), COLOUR), "JPEG")
    tracemalloc.start()
    assert read_photo(data).shape == (5000, 8000, 3)
    assert tracemalloc.get_traced_memory()[1] < 2.5 * 3 * 8000 * 5000  # the pixels, and once more on their way
    tracemalloc.stop()


def _bomb() -> bytes:
    width = 2**14
    return _bytes(Image.new("1", (width, MAX_PIXELS // width + 1)), "PNG")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"this is a text file", "not a photo that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a photo that can be read"),
        (b"\xff\xd8\xff", "photo: "),
        (_bytes(_photo(), "JPEG")[:2000], "photo: "),
        (_bytes(_photo(), "PNG")[:2000], "photo: "),
        (_bytes(_photo(), "WEBP")[:1000], "photo: "),
        (_bomb(), "make the photo smaller"),
        (b"\0\0\0\x20ftypisom\0\0\0\0isommp42", "not a photo that can be read"),
        (_bytes(_photo(), "TIFF", tiffinfo={254: 1}), "only the preview of a camera's raw file"),
    ],
)
def test_refused_in_one_line(data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason) as error:
        read_photo(data)
    assert "\n" not in str(error.value)
    file = tmp_path / "called.jpg"
    file.write_bytes(data)
    with pytest.raises(DataError) as named:
        read_photo(file)
    assert str(named.value).startswith(f"{file}: ")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.jpg", tmp_path):
        with pytest.raises(DataError, match=str(path)):
            read_photo(path)


def _read_or_refuse(data: bytes) -> None:
    with suppress(DataError):
        photo = read_photo(data)
        assert photo.dtype == np.uint8
        assert photo.ndim == 3
        assert photo.shape[2] == 3
        assert min(photo.shape) > 0


SEEDS = [
    _bytes(_photo(), "JPEG", exif=Image.Exif()),
    _bytes(_photo().convert("CMYK"), "JPEG"),
    *(_bytes(_photo(), kind) for kind in ("PNG", "WEBP", "GIF", "BMP", "PPM", "TIFF", "AVIF")),
    _bytes(_photo().convert("RGBA"), "PNG"),
    _bytes(_photo(), "TIFF", compression="tiff_lzw"),
]


@pytest.mark.slow
@given(seed=st.sampled_from(SEEDS), data=st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_damaged_files_never_crash(seed: bytes, data: st.DataObject) -> None:
    damaged = bytearray(seed)
    # headers decide most, so half of the flips go there
    places = st.one_of(st.integers(0, min(300, len(seed) - 1)), st.integers(0, len(seed) - 1))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=12)):
        damaged[place] = value
    end = data.draw(st.one_of(st.just(len(seed)), st.integers(0, len(seed))))
    _read_or_refuse(bytes(damaged[:end]))


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0"])
)
@settings(max_examples=150, deadline=None)
def test_noise_is_refused(noise: bytes, start: bytes) -> None:
    _read_or_refuse(start + noise)


def test_damaged_real_photos(real_data: Path) -> None:
    random = np.random.default_rng(0)
    files = sorted((real_data / "albums").rglob("*.*"))
    for file in files[::7]:
        whole = file.read_bytes()
        for _ in range(6):
            damaged = bytearray(whole[: random.integers(len(whole) // 4, len(whole) + 1)])
            for place in random.integers(0, len(damaged), random.integers(0, 30)):
                damaged[place] = random.integers(256)
            _read_or_refuse(bytes(damaged))
