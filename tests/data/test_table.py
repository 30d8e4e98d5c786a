"""Tables of images beside the same images in folders."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from facerec.crops.crop_file import crop_file
from facerec.data import FaceImages, folder, open_crops, orl, table
from facerec.data.fingerprint import data_fingerprint
from facerec.data.table import table_name
from facerec.errors import DataError

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Twelve of the ORL people, four photos each."""
    images = orl()
    assert images.landmarks is not None
    return [
        {
            "path": str(images.files[row]),
            "identity": f"{int(images.identities[row][1:]):03}",
            "landmarks": images.landmarks[row].ravel().tolist(),
            "split": "train",
        }
        for row in range(120)
        if row % 10 < 4
    ]


def _csv(file: Path, rows: Rows) -> Path:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return file


def _parquet(file: Path, rows: Rows, names: list[str] | None = None, group: int = 7) -> Path:
    written = pa.Table.from_pylist(rows)
    if names:
        features = {"identity": {"names": names, "_type": "ClassLabel"}, "path": {"_type": "Image"}}
        written = written.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(written, file, row_group_size=group)
    return file


@pytest.mark.parametrize("write", [_csv, _parquet])
def test_it_lists_what_lies_in_folders(
    write: Callable[[Path, Rows], Path], rows: Rows, people: Path, tmp_path: Path
) -> None:
    whole = folder(str(people))
    listed = [
        {"path": file.relative_to(people).as_posix(), "identity": file.parent.name, "other": 3}
        for file in whole.files
    ]
    suffix = "csv" if write is _csv else "parquet"
    images = table(str(write(tmp_path / f"people.{suffix}", listed)), root=str(people))
    assert (images.name, images.files) == ("people", whole.files)
    np.testing.assert_array_equal(images.identities, whole.identities)
    np.testing.assert_array_equal(images.splits, whole.splits)


@pytest.mark.parametrize("write", [_csv, _parquet])
def test_landmarks_align_the_crops(write: Callable[[Path, Rows], Path], rows: Rows, tmp_path: Path) -> None:
    suffix = "csv" if write is _csv else "parquet"
    images = table(str(write(tmp_path / f"orl.{suffix}", rows)), landmarks="landmarks")
    assert images.landmarks is not None
    assert images.identities[0] == "001"  # text stays text
    crops = open_crops(images, tmp_path, 0)
    for row in (0, 17, 47):
        points = np.array(rows[row]["landmarks"], np.float32).reshape(5, 2)
        np.testing.assert_array_equal(crops[row], crop_file(images.files[row], points))


def test_a_box_takes_the_place_of_landmarks(rows: Rows, tmp_path: Path) -> None:
    boxed = []
    for row in rows:
        eyes, mouth = np.array(row["landmarks"]).reshape(5, 2)[[0, 1]], np.array(row["landmarks"])[[7, 9]]
        side = (eyes[1, 0] - eyes[0, 0]) / 0.46
        top = eyes[:, 1].mean() - 0.4 * side * 1.2
        left = eyes[:, 0].mean() - side / 2
        boxed.append({**row, "box": [left, top, left + side, top + (mouth.mean() - top) / 0.74]})
    images = table(str(_parquet(tmp_path / "boxed.parquet", boxed)), box="box")
    assert images.landmarks is not None
    given = np.array([row["landmarks"] for row in rows]).reshape(-1, 5, 2)
    assert np.abs(images.landmarks - given).max(axis=(1, 2)).mean() < 5  # pixels, of 92: as near as a box can say


def test_splits_of_a_column_are_kept_and_other_words_understood(rows: Rows, tmp_path: Path) -> None:
    people = sorted({row["identity"] for row in rows})
    words = dict(zip(people, ["training", "train", "validation", "val", "test"] + 7 * ["testing"], strict=True))
    given = [{**row, "split": words[row["identity"]]} for row in rows]
    given[0]["split"] = "seen"
    images = table(str(_csv(tmp_path / "split.csv", given)), split="split")
    assert {split: len(images.rows(split)) for split in ("train", "seen", "val", "test")} == {
        "train": 7,
        "seen": 1,
        "val": 8,
        "test": 32,
    }
    assert images.split_by == "column split"


@pytest.mark.parametrize("struct", [False, True])
def test_images_in_parquet_are_those_of_the_files(rows: Rows, tmp_path: Path, struct: bool) -> None:
    contents = [Path(row["path"]).read_bytes() for row in rows]
    named = sorted({row["identity"] for row in rows})
    packed = [
        {
            "path": {"bytes": content, "path": "x.pgm"} if struct else content,
            "identity": named.index(row["identity"]),
            "landmarks": row["landmarks"],
        }
        for row, content in zip(rows, contents, strict=True)
    ]
    for number, part in enumerate((packed[:20], packed[20:])):
        _parquet(tmp_path / f"train-{number}.parquet", part, names=named)
    images = table(str(tmp_path / "train-*.parquet"), landmarks="landmarks", min_images=2)
    plain = table(str(_csv(tmp_path / "plain.csv", rows)), landmarks="landmarks")
    np.testing.assert_array_equal(images.identities, plain.identities)
    assert images.files[25] == tmp_path / "train-1.parquet" / "5"
    first, second = (open_crops(each, tmp_path / "cache", workers) for each, workers in ((images, 2), (plain, 0)))
    np.testing.assert_array_equal(first, second)


def test_rows_that_were_left_out_shift_nothing(rows: Rows, tmp_path: Path) -> None:
    contents = [{**row, "path": Path(row["path"]).read_bytes()} for row in rows if row["identity"] != "003"]
    alone = {**contents[0], "identity": "just one"}
    images = table(
        str(_parquet(tmp_path / "one.parquet", [alone, *contents])), min_images=2, test_share=0, val_share=0
    )
    whole = table(str(_parquet(tmp_path / "one.parquet", [alone, *contents])), test_share=0, val_share=0)
    kept = len(images.files)
    assert kept in (len(contents), len(contents) + 1)  # the one may be a validation person
    assert images.packed
    assert images.packed.read(kept - 1) == contents[-1]["path"]
    assert (data_fingerprint(images, tmp_path) == data_fingerprint(whole, tmp_path)) == (kept == len(whole.files))


def test_what_prepare_writes_is_read(run: Callable[..., int], in_folder: Path, people: Path) -> None:
    assert run("prepare", f"photos={people}", "out=prepared", "faces.min_size=10") == 0
    images = table("prepared/manifest", image="crop", identity="person", root="prepared/crops")
    crops = folder("prepared/crops")
    assert images.files == crops.files
    np.testing.assert_array_equal(images.splits, crops.splits)


def _changed(key: str, value: Any, row: int = 5) -> Callable[[Rows], Rows]:
    return lambda rows: [{**each, key: value} if number == row else each for number, each in enumerate(rows)]


@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        (_changed("identity", None), {}, r"dataset\.identity: column identity is empty in row 5 \(count"),
        (_changed("split", "holdout"), {"split": "split"}, r"dataset\.split: column split has 'holdout'; expected"),
        (
            _changed("landmarks", [1.0] * 9),
            {"landmarks": "landmarks"},
            r"does not have 10 numbers in row 5",
        ),
        (_changed("landmarks", None), {"landmarks": "landmarks"}, r"does not have 10 numbers in row 5"),
        (
            _changed("landmarks", [np.nan] * 10),
            {"landmarks": "landmarks"},
            r"column landmarks is not finite",
        ),
        (_changed("landmarks", [1.0]), {"box": "landmarks"}, r"dataset\.box: column landmarks does not have 4"),
        (lambda rows: rows, {"box": "corners"}, r"dataset\.box: .* has no column corners; it has path, identity"),
        (lambda rows: [{**row, "path": None} for row in rows], {}, r"dataset\.image: column path of .* is empty"),
        (lambda rows: [{**row, "path": 3} for row in rows], {}, r"column path of .* holds int64, not paths or im"),
        (lambda rows: rows, {"file": "nowhere-*.csv"}, r"dataset\.file: there is no .*nowhere-\*\.csv"),
    ],
)
def test_what_can_not_be_read_is_named(
    change: Callable[[Rows], Rows], given: dict[str, Any], message: str, rows: Rows, tmp_path: Path
) -> None:
    file = _parquet(tmp_path / "bad.parquet", change(rows))
    with pytest.raises(DataError, match=message):
        table(**{"file": str(file), **given})


def test_files_that_are_no_tables_are_named(tmp_path: Path) -> None:
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"path,identity\n")
    for name, message in (
        ("cut.parquet", "can't be read"),
        ("empty.csv", "can't be read"),
        ("notes.txt", "neither"),
    ):
        with pytest.raises(DataError, match=rf"dataset\.file: .*{name}.*{message}"):
            table(str(tmp_path / name))


def test_missing_files_are_named_before_anything_is_decoded(rows: Rows, tmp_path: Path) -> None:
    given = _changed("path", "gone.jpg")(rows)
    images: FaceImages = table(str(_csv(tmp_path / "gone.csv", given)))
    with pytest.raises(DataError, match=r"1 files are missing:\n .*gone\.jpg"):
        open_crops(images, tmp_path, 0)


def test_a_box_without_area_is_named(rows: Rows, tmp_path: Path) -> None:
    file = _csv(tmp_path / "box.csv", _changed("box", "9 5 9 8")([{**row, "box": "(1, 2, 3, 4)"} for row in rows]))
    with pytest.raises(
        DataError, match=r"dataset\.box: column box has no box x0, y0, x1, y1 in row 5 .*: \[9\.0, 5\.0"
    ):
        table(str(file), box="box")


@pytest.mark.parametrize("write", [_csv, _parquet])
def test_an_empty_identity_is_refused_in_any_file(
    write: Callable[[Path, Rows], Path], rows: Rows, tmp_path: Path
) -> None:
    file = write(tmp_path / f"empty.{'csv' if write is _csv else 'parquet'}", _changed("identity", "")(rows))
    with pytest.raises(DataError, match=r"column identity is empty in row 5"):
        table(str(file))


def test_a_class_without_a_name_is_refused(rows: Rows, tmp_path: Path) -> None:
    names = sorted({row["identity"] for row in rows})
    numbered = [{**row, "identity": names.index(row["identity"])} for row in rows]
    assert set(table(str(_parquet(tmp_path / "x.parquet", numbered, names))).identities) == set(names)
    file = _parquet(tmp_path / "x.parquet", _changed("identity", -1)(numbered), names)
    with pytest.raises(DataError, match=r"column identity has -1, and 12 names"):
        table(str(file))


def test_each_column_of_images_is_another_data_set(rows: Rows, tmp_path: Path) -> None:
    packed = [{**row, "path": b"one", "other": b"two"} for row in rows]
    file = str(_parquet(tmp_path / "both.parquet", packed))
    one, two = (data_fingerprint(table(file, image=column), tmp_path) for column in ("path", "other"))
    assert one != two


def test_paths_of_each_table_are_relative_to_it(rows: Rows, tmp_path: Path) -> None:
    for name, part in (("a", rows[:24]), ("b", rows[24:])):
        (tmp_path / name).mkdir()
        _csv(tmp_path / name / "list.csv", [{**row, "path": f"{row['identity']}/1.png"} for row in part])
    images = table([str(tmp_path / name / "list.csv") for name in ("a", "b")])
    assert {file.parent.parent.name for file in images.files} == {"a", "b"}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("faces.csv", "faces"),
        ("asian/data/train-00000-of-00002.parquet", "asian"),
        ("mine/manifest/0-of-1.parquet", "mine"),
    ],
)
def test_a_table_has_a_name_that_says_something(file: str, name: str) -> None:
    assert table_name([Path("/sets") / file]) == name
