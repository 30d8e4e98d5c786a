"""Pair sets of InsightFace: as Python 2 and 3 write them, as pickle itself reads ours, and what is refused."""

import io
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facerec.crops import encode_png
from facerec.errors import DataError
from facerec.evaluation import read_pair_file, write_pair_file

CROPS = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
IMAGES = [encode_png(crop) for crop in CROPS]
# the first two images are of one person
PAIRS = [(0, 1, True), (0, 2, False), (1, 0, True), (2, 1, False)]
SAME = [same for *_, same in PAIRS]
ENCODED = [IMAGES[row] for left, right, _ in PAIRS for row in (left, right)]


def _written(folder: Path, content: Any, protocol: int = 4) -> Path:
    file = folder / "set.bin"
    file.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return file


def _assert_read(file: Path) -> None:
    found = read_pair_file(file)
    assert found.name == "set"
    np.testing.assert_array_equal(found.crops.transpose(0, 2, 3, 1), CROPS)  # each image once, in RGB
    pairs = zip(found.left.tolist(), found.right.tolist(), found.same.tolist(), strict=True)
    assert list(pairs) == PAIRS
    assert found.fold.tolist() == [0, 1, 2, 3]
    assert found.identities[0] == found.identities[1] != found.identities[2]


def test_what_is_written_is_read_here_and_by_pickle(tmp_path: Path) -> None:
    file = tmp_path / "set.bin"
    write_pair_file(file, IMAGES, PAIRS)
    _assert_read(file)
    images, same = pickle.loads(file.read_bytes(), encoding="bytes")  # as InsightFace reads it
    assert (images, same) == (ENCODED, SAME)
    assert file.stat().st_size < 1.1 * sum(map(len, IMAGES))  # each image is stored once


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "kind", [list, np.array, lambda same: list(np.array(same)), lambda same: [int(x) for x in same]]
)
def test_python_3_may_have_written_it(kind: Callable[[list[bool]], Any], protocol: int, tmp_path: Path) -> None:
    _assert_read(_written(tmp_path, (ENCODED, kind(SAME)), protocol))
    _assert_read(_written(tmp_path, [ENCODED, kind(SAME)], protocol))


def _python_2(same: bytes) -> bytes:
    """What Python 2 writes in protocol 2, where a string is its bytes."""
    strings = b"".join(b"T" + struct.pack("<i", len(image)) + image for image in ENCODED)
    return b"\x80\x02](" + strings + b"e" + same + b"\x86."


NUMPY_BOOL = b"cnumpy\ndtype\n(U\x02b1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def test_python_2_may_have_written_it(tmp_path: Path) -> None:
    values = bytes(SAME)
    plain = b"](" + bytes(0x88 if value else 0x89 for value in SAME) + b"e"
    scalars = b"".join(
        b"cnumpy.core.multiarray\nscalar\n(" + NUMPY_BOOL + b"U\x01" + bytes([value]) + b"tR" for value in values
    )
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    array = empty + b"(K\x01(K\x04t" + NUMPY_BOOL + b"\x89U\x04" + values + b"tb"
    assert pickle.loads(b"\x80\x02" + array + b".", encoding="bytes").tolist() == SAME  # as NumPy itself takes it
    for same in (plain, b"](" + scalars + b"e", array):
        _assert_read(_written(tmp_path, _python_2(same)))
    text = b"".join(b"S" + repr(image).removeprefix("b").encode() + b"\n" for image in ENCODED)
    numbers = b"".join(b"I%02d\n" % value for value in values)
    _assert_read(_written(tmp_path, b"((" + text + b"l(" + numbers + b"lt."))  # protocol 0


class _Calls:
    def __init__(self, function: Any, *given: Any) -> None:
        self.call = function, given

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize(
    ("evil", "named"),
    [
        (_Calls(os.system, "touch hacked"), r"(posix|nt)\.system"),
        (_Calls(eval, "open('hacked', 'w')"), r"builtins\.eval"),
        (_Calls(open, "hacked", "w"), r"io\.open"),
        (_Calls(Path.touch, Path("hacked")), r"(builtins\.getattr|pathlib.*\.Path\.touch)"),
        (np.array([_Calls(os.system, "touch hacked")], dtype=object), "type 'O8', not bool"),
        (_Calls(bytes, 10**9), "makes bytes of something else"),
        (np.arange(3), "type 'i8', not bool"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_malicious_file_is_refused_and_runs_nothing(
    evil: Any, named: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = _written(tmp_path, b"")
    for content in ((ENCODED, evil), (ENCODED, [evil, *SAME]), evil):
        file.write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(DataError, match=rf"set\.bin: can't be read as a pair set; .*{named}"):
            read_pair_file(file)
    assert [entry.name for entry in tmp_path.iterdir()] == ["set.bin"]


def test_what_a_file_writes_on_a_stand_in_stays_with_it(tmp_path: Path) -> None:
    """A pickle may set attributes of whatever it is given: here, a default of every argument."""
    spoilt = b"c_codecs\nencode\nN}X\x0c\x00\x00\x00__defaults__K\x01K\x01\x86s\x86b0"
    whole = pickle.dumps((ENCODED, SAME), 2)
    _assert_read(_written(tmp_path, whole[:2] + spoilt + whole[2:]))
    _assert_read(_written(tmp_path, whole))
    with pytest.raises(DataError):
        read_pair_file(_written(tmp_path, b"\x80\x02c_codecs\nencode\n)R."))


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_a_damaged_file_is_refused_by_name_or_read(data: st.DataObject, tmp_path_factory: Any) -> None:
    whole = pickle.dumps((ENCODED, SAME), data.draw(st.sampled_from([0, 2, 4])))
    place = data.draw(
        st.integers(0, len(whole) - 1) | st.integers(0, 60) | st.integers(len(whole) - 60, len(whole) - 1)
    )
    cut = data.draw(st.booleans())
    other = (
        whole[:place] if cut else whole[:place] + data.draw(st.binary(min_size=1, max_size=1)) + whole[place + 1 :]
    )
    file = _written(tmp_path_factory.getbasetemp(), other)
    try:
        read_pair_file(file)
    except DataError as error:
        named = str(error)
    else:
        named = "" if cut else "set"
    assert "set.bin" in named or "set: none of its" in named or named == "set"


def _jpeg(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height)).save(stream, "jpeg")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((ENCODED[:-1], SAME), "holds 7 images and 4 truth values, but each pair has two images"),
        ((ENCODED, [*SAME, True]), "holds 8 images and 5 truth values"),
        (([], []), "holds 0 images"),
        (ENCODED, "is no pair set, which holds a list of images and a list of truth values"),
        ((ENCODED, 4), "is no pair set"),
        (([*ENCODED[:-1], "text"], SAME), "image 7 is no encoded image but str"),
        ((ENCODED, [True, False, True, 7]), "pair 3 is called 7, neither True nor False"),
        ((ENCODED, [True, False, None, True]), "pair 2 is called None"),
        (([*ENCODED[:5], ENCODED[5][:500], *ENCODED[6:]], SAME), "image 5: "),
        (([*ENCODED[:5], b"no image", *ENCODED[6:]], SAME), "image 5: this is not a photo"),
        (([*ENCODED[:2], _jpeg(250, 200), *ENCODED[3:]], SAME), "image 2 has 250x200 pixels; a pair set holds"),
        ((ENCODED, [True] * 4), "set: none of its 4 pairs is of two people"),
        ((ENCODED, [False] * 4), "pairs is of one person"),
        (b"", "can't be read as a pair set; it is empty or cut short"),
        (b"PK\x03\x04", "can't be read as a pair set"),
    ],
)
def test_what_is_no_pair_set_is_refused(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_pair_file(_written(tmp_path, content))
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.bin: can't be read \(No such file"):
        read_pair_file(tmp_path / "none.bin")


def test_jpeg_images_are_read_in_rgb(tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (112, 112), colour) for colour in ("red", "blue"))
    images = []
    for image in (red, red, red, blue):
        stream = io.BytesIO()
        image.save(stream, "jpeg", quality=95)
        images.append(stream.getvalue())
    found = read_pair_file(_written(tmp_path, (images, [True, False])))
    assert found.crops.shape == (2, 3, 112, 112)
    assert (abs(found.crops[:, :, 0, 0].astype(int) - [[255, 0, 0], [0, 0, 255]]) <= 2).all()


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=9))
@settings(deadline=None, max_examples=30)
def test_identities_are_what_genuine_pairs_join(tmp_path_factory: Any, genuine: list[tuple[int, int]]) -> None:
    """Beside groups of people, of which each pair makes two one."""
    images = [encode_png(np.full((112, 112, 3), row, np.uint8)) for row in range(10)]
    pairs = [*((left, right, True) for left, right in genuine), *((row, 9, False) for row in range(9))]
    groups = {row: frozenset([row]) for row in range(10)}
    for left, right in genuine:
        joined = groups[left] | groups[right]
        groups |= dict.fromkeys(joined, joined)
    file = tmp_path_factory.getbasetemp() / "joined.bin"
    write_pair_file(file, images, pairs)
    found = read_pair_file(file)
    of_row = dict(zip(found.crops[:, 0, 0, 0].tolist(), found.identities.tolist(), strict=True))
    assert {row: {other for other in of_row if of_row[other] == of_row[row]} for row in of_row} == groups
