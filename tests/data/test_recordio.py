"""RecordIO files that the test writes by the format's description, read back."""

import io
import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facerec.data import FaceData, dataset_crops, open_crops, orl, recordio
from facerec.data.augment import Augment
from facerec.data.fingerprint import data_fingerprint
from facerec.data.records import Records
from facerec.errors import DataError

MAGIC = struct.pack("<I", 0xCED7230A)


def _packed(content: bytes) -> bytes:
    """A record as dmlc-core's writer has it: split where a word of the content is the magic number."""
    words = [content[k : k + 4] for k in range(0, len(content), 4)]
    parts: list[list[bytes]] = [[]]
    for word in words:
        if word == MAGIC:
            parts.append([])
        else:
            parts[-1].append(word)
    out = b""
    for number, part in enumerate(parts):
        kind = 0 if len(parts) == 1 else 1 if number == 0 else 3 if number == len(parts) - 1 else 2
        data = b"".join(part)
        out += MAGIC + struct.pack("<I", kind << 29 | len(data)) + data + b"\0" * (-len(data) % 4)
    return out


def _record(label: float | Sequence[float], image: bytes = b"") -> bytes:
    several = [] if isinstance(label, float | int) else list(label)
    header = struct.pack("<IfQQ", len(several), 0.0 if several else label, 7, 0)
    return _packed(header + struct.pack(f"<{len(several)}f", *several) + image)


def _write(folder: Path, records: Sequence[tuple[int, bytes]], classes: int | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    place, lines = 0, []
    with (folder / "train.rec").open("wb") as stream:
        for key, record in records:
            lines.append(f"{key}\t{place}\n")
            place += stream.write(record)
    (folder / "train.idx").write_text("".join(lines))
    if classes:
        (folder / "property").write_text(f"{classes},112,112\n")
    return folder


def _jpeg(value: int, side: int = 112) -> bytes:
    pixels = np.full((side, side, 3), value, np.uint8)
    pixels[::7] = 255 - value
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """12 people of 3 images, as InsightFace writes it: a note in front, notes on the identities behind."""
    images = [(1 + row, _record([row // 3, 0.0] if row % 2 else row // 3, _jpeg(5 * row))) for row in range(36)]
    notes = [(37 + person, _record([1 + 3 * person, 4 + 3 * person])) for person in range(12)]
    return _write(tmp_path / "faces_toy", [(0, _record([37.0, 49.0])), *images, *notes], classes=12)


def test_images_and_identities_are_those_that_were_written(faces: Path, tmp_path: Path) -> None:
    images = recordio(str(faces), val_share=0.2, test_share=0.2, seen_share=0.3)
    assert (images.name, len(images.files)) == ("faces_toy", 36)
    assert [file.name for file in images.files] == [str(key) for key in range(1, 37)]
    assert images.identities.tolist() == [str(row // 3) for row in range(36)]
    counts = {split: len(images.rows(split)) for split in ("train", "seen", "val", "test")}
    assert counts == {"train": 16, "seen": 8, "val": 6, "test": 6}
    crops = open_crops(images, tmp_path / "cache", 0)
    for row in (0, 1, 35):
        written = np.asarray(Image.open(io.BytesIO(_jpeg(5 * row)))).transpose(2, 0, 1)
        np.testing.assert_array_equal(crops[row], written)


def test_without_a_cache_the_crops_are_the_same_and_nothing_is_kept(faces: Path, tmp_path: Path) -> None:
    images, rows = recordio(str(faces)), np.array([3, 0, 35])
    live = dataset_crops(images, tmp_path / "none", 0, cache=False)
    shown = live[rows]
    assert not list(tmp_path.glob("none/*.npy"))
    crops = open_crops(images, tmp_path / "cache", 0)
    np.testing.assert_array_equal(shown, crops[rows])
    assert Path(str(live.filename)).name == Path(str(crops.filename)).name
    assert type(dataset_crops(images, tmp_path / "cache", 0, cache=False)) is type(crops)  # there is one


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_without_a_cache_are_those_with_it(faces: Path, tmp_path: Path, workers: int) -> None:
    images = recordio(str(faces), val_share=0.2, test_share=0.2)
    shown = []
    for cache in (True, False):
        data = FaceData(
            images,
            Augment(),
            batch_size=4,
            num_workers=workers,
            decode_workers=0,
            cache=cache,
            cache_dir=str(tmp_path / str(cache)),
            seed=0,
        )
        data.prepare_data()
        shown.append((data.statistics, [batch.crops for batch in data.train_dataloader()]))
    assert shown[0][0] == shown[1][0]
    assert len(shown[0][1]) == 6
    assert all((one == other).all() for one, other in zip(shown[0][1], shown[1][1], strict=True))


def test_min_images_and_labels_reach_the_records(tmp_path: Path) -> None:
    rows = [0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    faces = _write(tmp_path / "few", [(k, _record(float(row), _jpeg(9 * k))) for k, row in enumerate(rows)])
    whole, kept = recordio(str(faces), test_share=0), recordio(str(faces), test_share=0, min_images=2)
    assert (whole.identities == "1").sum() == 1
    assert (kept.identities == "1").sum() == 0
    assert len(kept.files) == len(kept.identities) == 12
    assert kept.packed
    assert kept.packed.read(2) == _jpeg(9 * 3)  # the row behind the one that was left out
    assert data_fingerprint(whole, tmp_path) != data_fingerprint(kept, tmp_path)
    assert not recordio(str(faces), test_share=0, labels=False).labelled


@given(st.lists(st.lists(st.sampled_from([MAGIC, b"abcd", b"\0\0\0\0"]), max_size=5), min_size=1, max_size=4))
def test_content_that_holds_the_magic_number_is_put_together_again(
    tmp_path_factory: pytest.TempPathFactory, contents: list[list[bytes]]
) -> None:
    whole = [b"".join(content) + b"end" for content in contents]
    folder = _write(tmp_path_factory.mktemp("rec"), [(k, _record(1.0, each)) for k, each in enumerate(whole)])
    records = Records(folder / "train.rec")
    assert [records.read(row) for row in range(len(records))] == whole


def _cut(folder: Path) -> None:
    file = folder / "train.rec"
    file.write_bytes(file.read_bytes()[:-3])


def _append(line: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / "train.idx").open("a") as stream:
            stream.write(line)

    return change


def _property(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "property").write_text(text) and None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, r"train\.rec: no whole record starts at byte \d+, where train\.idx has record 48; is the copy"),
        (_append("99\t123456789\n"), r"no whole record starts at byte 123456789, where train\.idx has record 99"),
        (_append("99\t-4\n"), r"no whole record starts at byte -4"),
        (_append("99\t2\n"), r"no whole record starts at byte 2,"),
        (_append("5\t0\n"), r"train\.idx: lists a key twice"),
        (_append("x\n"), r"train\.idx: expected lines of a key and an offset"),
        (_property("12,160,160"), r"property: says 12,160,160; expected images of 112x112 pixels"),
        (lambda folder: (folder / "train.idx").unlink(), r"train\.idx can't be read .* it belongs to .*train\.rec"),
        (lambda folder: (folder / "train.idx").write_text(""), r"train\.idx: lists no records"),
        (lambda folder: (folder / "train.rec").unlink(), r"there is no file .*train\.rec; give the folder"),
    ],
)
def test_damage_is_named(faces: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(faces)
    with pytest.raises(DataError, match=message):
        recordio(str(faces))


def test_a_label_that_is_no_class_is_named(tmp_path: Path) -> None:
    folder = _write(tmp_path / "odd", [(k, _record(label, _jpeg(k))) for k, label in enumerate([0.0, 1.5, 2.0])])
    with pytest.raises(DataError, match=r"the label of record 1, 1\.5, is not a class number"):
        recordio(str(folder))


def test_an_image_that_can_not_be_decoded_is_named(tmp_path: Path) -> None:
    contents = [_jpeg(k) if k != 4 else b"no image" for k in range(12)]
    folder = _write(tmp_path / "bad", [(k, _record(float(k // 2), each)) for k, each in enumerate(contents)])
    with pytest.raises(DataError, match=r"1 files can not be decoded:\n .*train\.rec/4: this is not a photo"):
        open_crops(recordio(str(folder)), tmp_path / "cache", 0)


@pytest.mark.slow
def test_a_model_is_trained_and_measured_on_records(
    run: Callable[..., int], in_folder: Path, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    images = orl()
    packed = [(row, _record(float(row // 10), images.files[row].read_bytes())) for row in range(160)]
    folder = _write(in_folder / "orl_rec", packed)
    given = [entry for entry in small if not entry.startswith("dataset")]
    data = ["dataset=recordio", f"dataset.root={folder}", "dataset.val_share=0.2", "dataset.test_share=0.2"]
    given += [*data, "data.cache=false", "trainer.max_epochs=1", "hydra.run.dir=records"]
    assert run("train", *given) == 0
    metrics = json.loads(Path("records/metrics.json").read_text())
    assert 0 < metrics["test/MAP@R"] <= 1
    assert not list(in_folder.rglob("crops-*.npy"))
    assert "dataset orl_rec: 10 training identities" in capsys.readouterr().out
