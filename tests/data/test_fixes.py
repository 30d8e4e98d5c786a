"""A list of corrections does to a table what it says, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from facerec.data import FaceImages, orl
from facerec.data.fingerprint import data_fingerprint
from facerec.data.fixes import fix_table, image_names
from facerec.errors import DataError

FILES = [Path(f"{person}/{person}{number}.jpg") for person in "abcdefghi" for number in range(3)]
IDENTITIES = np.array([file.parent.name for file in FILES])
SPLITS = np.array([["train", "train", "seen"]] * 4 + [["val"] * 3] * 2 + [["test"] * 3] * 2 + [["val"] * 3]).ravel()


def fixed(folder: Path, text: str) -> dict[str, tuple[str, str]]:
    """Name of each image that is left → its identity and split."""
    file = folder / "fixes.yaml"
    file.write_text(text)
    identities, splits, kept = fix_table(str(file), FILES, IDENTITIES, SPLITS)
    FaceImages("toy", [], identities[kept], splits[kept])  # it can be trained on
    rows = np.flatnonzero(kept)
    return {FILES[row].stem: (str(identities[row]), str(splits[row])) for row in rows}


BEFORE = {
    file.stem: (str(identity), str(split)) for file, identity, split in zip(FILES, IDENTITIES, SPLITS, strict=True)
}


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", {}),
        ("drop:\nsame: []\n", {}),
        ("same: [[a, b]]", {"b0": ("a", "train"), "b1": ("a", "train"), "b2": ("a", "seen")}),
        # groups that overlap are one
        (
            "same: [[b, a], [c, b]]",
            {f"{who}{number}": ("c", BEFORE[f"a{number}"][1]) for who in "ab" for number in range(3)},
        ),
        # one person in several splits stays where they are measured
        ("same: [[a, e]]", {**dict.fromkeys(("a0", "a1", "a2")), **{f"e{n}": ("a", "val") for n in range(3)}}),
        ("same: [[g, e]]", dict.fromkeys(("e0", "e1", "e2"))),
        ("drop: [a0.jpg, g/g1.jpg]", {"a0": None, "g1": None}),
        ("move: {a0.jpg: b, a1.jpg: g}", {"a0": ("b", "train"), "a1": ("g", "test"), "a2": ("a", "train")}),
        ("move: {g0.jpg: a}", {"g0": ("a", "train")}),
        ("split: {new: [h1.jpg, h2.jpg]}", {"h1": ("new", "test"), "h2": ("new", "test")}),
        ("split: {b-2: [b1.jpg]}\nsame: [[a, b-2]]", {"b1": ("a", "train")}),
        ("split: {new: [a1.jpg]}\nmove: {h0.jpg: new}", {"a1": ("new", "train"), "h0": ("new", "train")}),
        ("exclude: [a]", dict.fromkeys(("a0", "a1", "a2"))),
        ("exclude: [b]\nsame: [[a, b]]", dict.fromkeys(("a0", "a1", "a2", "b0", "b1", "b2"))),
        # nobody has held-out images only
        ("drop: [a0.jpg, a1.jpg]", {"a0": None, "a1": None, "a2": ("a", "train")}),
    ],
)
def test_each_key_changes_what_it_names(
    text: str, changed: dict[str, tuple[str, str] | None], tmp_path: Path
) -> None:
    expected = {name: entry for name, entry in (BEFORE | changed).items() if entry is not None}
    assert fixed(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drop: [z9.jpg]", "no image is called z9.jpg"),
        ("same: [[a, z]]", "same: there is no identity z"),
        ("move: {a0.jpg: z}", "move: there is no identity z"),
        ("exclude: [z]", "exclude: there is no identity z"),
        ("drop: [a0.jpg]\nmove: {a/a0.jpg: b}", "a/a0.jpg has two corrections"),
        ("split: {a: [b1.jpg]}", "there is an identity a already"),
        ("split: {new: [a1.jpg, b1.jpg]}", "of several identities: a, b"),
        ("same: [[a]]", r"same must have the form \[\[NAME, NAME\], …\]"),
        ("move: [a0.jpg]", "move must have the form {IMAGE: NAME}"),
        ("merge: []", "may have the keys same, drop, move, split, exclude, not merge"),
        ("[a, b]", "may have the keys"),
        ("same: [", "can't be read"),
    ],
)
def test_what_can_not_be_applied_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        fixed(tmp_path, text)
    assert f"dataset.fixes: {tmp_path / 'fixes.yaml'}" in str(caught.value)


def test_names_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    files = [Path(f"{name}/1.jpg") for name in ("0012", "12", "no", "1e3")]
    assert image_names(files) == ["0012/1.jpg", "12/1.jpg", "no/1.jpg", "1e3/1.jpg"]
    (tmp_path / "fixes.yaml").write_text("same: [[0012, no]]\nmove: {12/1.jpg: 1e3}\n")
    names = np.array([file.parent.name for file in files])
    identities, _, kept = fix_table(str(tmp_path / "fixes.yaml"), files, names, np.full(4, "train"))
    assert identities.tolist() == ["0012", "1e3", "0012", "1e3"]
    assert kept.all()
    (tmp_path / "fixes.yaml").write_text("drop: [1.jpg]")
    with pytest.raises(DataError, match=r"4 images are called 1\.jpg"):
        fix_table(str(tmp_path / "fixes.yaml"), files, names, np.full(4, "train"))


@given(
    same=st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=4), max_size=4),
    drop=st.sets(st.sampled_from([file.name for file in FILES]), max_size=6),
    data=st.data(),
)
def test_nobody_is_ever_in_two_splits(
    same: list[list[str]], drop: set[str], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rest = sorted({file.name for file in FILES} - drop)
    move = data.draw(st.dictionaries(st.sampled_from(rest), st.sampled_from("abcdefgh"), max_size=6))
    file = tmp_path_factory.getbasetemp() / "drawn.yaml"
    file.write_text(yaml.safe_dump({"same": same, "drop": sorted(drop), "move": move}))
    identities, splits, kept = fix_table(str(file), FILES, IDENTITIES, SPLITS)
    identities, splits = identities[kept], splits[kept]
    roles = {(who, "train" if split == "seen" else split) for who, split in zip(identities, splits, strict=True)}
    assert len(roles) == len(set(identities))
    seen = set(identities[splits == "seen"])
    assert seen <= set(identities[splits == "train"])
    merged = {frozenset(group) for group in same}
    assert all(len(group & set(identities)) <= 1 for group in merged)


def test_a_data_set_is_another_one_with_its_corrections(tmp_path: Path) -> None:
    (tmp_path / "fixes.yaml").write_text("same: [[s1, s2]]")
    before, after = orl(), orl(fixes=str(tmp_path / "fixes.yaml"))
    assert data_fingerprint(before, tmp_path) != data_fingerprint(after, tmp_path)
    assert len(np.unique(before.identities)) == len(np.unique(after.identities)) + 1
    others = ~np.isin(before.identities, ["s1", "s2"])
    if len(after.files) == 400:  # both in one split
        assert (before.splits[others] == after.splits[others]).all()
    (tmp_path / "fixes.yaml").write_text("drop: [s3/1.pgm, s3/2.pgm]")
    dropped = orl(fixes=str(tmp_path / "fixes.yaml"))
    assert dropped.landmarks is not None
    assert before.landmarks is not None
    place = next(row for row, file in enumerate(before.files) if file == dropped.files[-1])
    assert (dropped.landmarks[-1] == before.landmarks[place]).all()
    assert len(dropped.files) == 398
