from pathlib import Path

import pytest

from facerec.errors import DataError
from facerec.evaluation import find_images, pair_columns, read_pairs


def _written(folder: Path, text: str) -> list[Path]:
    file = folder / "pairs.txt"
    file.write_text(text)
    return [file]


def test_folds_and_both_kinds_of_pair_are_read(tmp_path: Path) -> None:
    text = "2\t1\nAnn\t1\t2\nAnn\t1\tBob\t12\nBob\t3\t4\nAnn\t2\tBob\t1\n"
    pairs = read_pairs(_written(tmp_path, text))
    assert [tuple(pair) for pair in pairs] == [
        ("Ann/Ann_0001", "Ann/Ann_0002", True, 0),
        ("Ann/Ann_0001", "Bob/Bob_0012", False, 0),
        ("Bob/Bob_0003", "Bob/Bob_0004", True, 1),
        ("Ann/Ann_0002", "Bob/Bob_0001", False, 1),
    ]


def test_files_without_folds_are_one_fold_each(tmp_path: Path) -> None:
    [file] = _written(tmp_path, "1\nAnn 1 2\nAnn 1 Bob 1\n")
    assert [pair.fold for pair in read_pairs([file, file])] == [0, 0, 1, 1]


def test_view_1_is_read_as_its_authors_count_it(real_data: Path) -> None:
    root = real_data / "lfw_view1"
    pairs = read_pairs([root / "pairsDevTrain.txt", root / "pairsDevTest.txt"])
    assert [sum(pair.fold == fold and pair.same for pair in pairs) for fold in (0, 1)] == [1100, 500]
    assert len(pairs) == 3200
    found, missing = find_images(pairs, root / "images")
    assert missing == []
    assert all(file.is_file() for file in found.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1"),
        ("ten\n", "line 1"),
        ("0\n", "line 1"),
        ("1\nAnn 1 2\n", "holds 1 pairs, its first line says 2"),
        ("1\nAnn 1 2\nAnn 1 2\n", "line 3: expected `NAME i NAME j`"),
        ("1\nAnn 1 Bob 2\nAnn 1 Bob 2\n", "line 2: expected `NAME i j`"),
        ("1\nAnn one 2\nAnn 1 Bob 2\n", "line 2"),
        ("1\n../Ann 1 2\nAnn 1 Bob 2\n", "slash"),
    ],
)
def test_a_damaged_list_is_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=r"pairs\.txt") as caught:
        read_pairs(_written(tmp_path, text))
    assert message in str(caught.value)


def test_missing_images_are_named_and_their_pairs_left_out(tmp_path: Path) -> None:
    pairs = read_pairs(_written(tmp_path, "1\nAnn 1 2\nAnn 1 Bob 1\n"))
    (tmp_path / "Ann").mkdir()
    for name in ("Ann_0001.jpg", "Ann_0002.png"):
        (tmp_path / "Ann" / name).touch()
    found, missing = find_images(pairs, tmp_path)
    assert missing == ["Bob/Bob_0001"]
    left, right, same, fold = pair_columns(pairs, {name: row for row, name in enumerate(found)})
    assert (left.tolist(), right.tolist(), same.tolist(), fold.tolist()) == ([0], [1], [True], [0])
    with pytest.raises(DataError, match="none of the 3 images"):
        find_images(pairs, tmp_path / "Ann")
    with pytest.raises(DataError, match="there is no folder"):
        find_images(pairs, tmp_path / "nowhere")
