"""What is proposed is read back as it is meant, whatever people and files are called."""

from pathlib import Path

import yaml

from facerec.data.fixes import Fixes, read_fixes
from facerec.doctor import Correction, Finding, corrections_list

IMAGES = ["a.jpg", "b c.jpg", "d: e #1.jpg", "no", "\udcff.jpg", "ü.jpg", "0012"]


def finding(key: str, *names: str, rows: tuple[int, ...] = (), sure: bool = True) -> Finding:
    return Finding("same", (), 0.9, 0.5, "a reason:\nwith # two lines", Correction(key, names, rows), sure)


def written(folder: Path, *findings: Finding) -> tuple[str, Fixes]:
    file = folder / "fixes.yaml"
    file.write_bytes(corrections_list("set", findings, IMAGES).encode(errors="backslashreplace"))
    return file.read_text(), read_fixes(file)


def test_names_come_back_as_they_were(tmp_path: Path) -> None:
    everything = [
        finding("same", "0012", "no", "x, y]"),
        finding("drop", rows=(0, 4)),
        finding("move", "1e3", rows=(1,)),
        finding("split", "~new", rows=(2, 5)),
        finding("exclude", "'"),
    ]
    text, fixes = written(tmp_path, *everything)
    assert fixes.same == [["0012", "no", "x, y]"]]
    assert fixes.drop == ["a.jpg", "\udcff.jpg"]
    assert fixes.move == {"b c.jpg": "1e3"}
    assert fixes.split == {"~new": ["d: e #1.jpg", "ü.jpg"]}
    assert fixes.exclude == ["'"]
    assert text.count("# a reason: with # two lines\n") == 6


def test_an_image_has_one_correction(tmp_path: Path) -> None:
    _, fixes = written(
        tmp_path,
        finding("split", "apart", rows=(0, 1, 2)),
        finding("split", "gone", rows=(0,)),
        finding("move", "ann", rows=(1,)),
        finding("drop", rows=(0,)),
    )
    assert fixes == Fixes(drop=["a.jpg"], move={"b c.jpg": "ann"}, split={"apart": ["d: e #1.jpg"]})


def test_what_is_not_sure_waits_for_whoever_looks(tmp_path: Path) -> None:
    text, fixes = written(tmp_path, finding("drop", rows=(0,), sure=False))
    assert fixes == Fixes()
    agreed = yaml.load(text.replace("# - ", "- "), Loader=yaml.BaseLoader)
    assert agreed == {"drop": ["a.jpg"]}
