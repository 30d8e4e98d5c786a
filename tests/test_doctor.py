"""The whole job: faults are planted in the ORL faces, found, and mended by the list that it writes."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from facerec.data import folder, open_crops, orl
from tests.conftest import Run
from tests.web import fisherfaces

PERSON, ALIAS = "s5", "s5 [again]"  # the latter needs quotes in YAML


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fisherfaces of all 40 people: a model that knows them well."""
    root, images = tmp_path_factory.mktemp("fisherfaces"), orl()
    return fisherfaces.fit(root, open_crops(images, root, 0), images.identities, components=190, shrinkage=0.01)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Aligned crops of ORL, one folder per person."""
    root, images = tmp_path / "faces", orl()
    for file, crop in zip(images.files, open_crops(images, tmp_path, 0), strict=True):
        (root / file.parent.name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop.transpose(1, 2, 0)).save(
            root / file.parent.name / f"{file.parent.name}-{file.stem}.png"
        )
    return root


def plant(faces: Path) -> None:
    """One person under two names, two people under one, two swapped images, and a photo twice."""
    (faces / ALIAS).mkdir()
    for number in range(6, 11):
        file = faces / PERSON / f"{PERSON}-{number}.png"
        file.rename(faces / ALIAS / file.name)
    for file in (faces / "s8").iterdir():
        file.rename(faces / "s7" / file.name)
    (faces / "s8").rmdir()
    for here, there in (("s20", "s21"), ("s21", "s20")):
        (faces / here / f"{here}-3.png").rename(faces / there / f"{here}-3.png")
    with Image.open(faces / "s30" / "s30-1.png") as photo:
        stream = io.BytesIO()
        photo.resize((96, 96)).save(stream, "jpeg", quality=85)
    (faces / "s30" / "copy.jpg").write_bytes(stream.getvalue())


def diagnosed(run: Run, model: Path, root: Path, out: str, *given: str) -> dict[str, int]:
    """Heading of the contact sheet → number of findings."""
    command = ["dataset=folder", f"dataset.root={root}", f"model={model}", "device=cpu", "data.decode_workers=0"]
    assert run("doctor", *command, f"hydra.run.dir={out}", *given) == 0
    page = (Path(out) / "doctor.html").read_text()
    return {kind: int(count) for kind, count in re.findall(r'<a href="#(\w+)">[^<]*</a></td><td>(\d+)', page)}


def test_planted_faults_are_found_and_mended(
    run: Run, model: Path, faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert diagnosed(run, model, faces, "healthy", "expected=0.1") == {}
    assert "Nothing was found." in Path("healthy/doctor.html").read_text()
    plant(faces)
    found = diagnosed(run, model, faces, "planted", "expected=0.1")
    assert found.pop("same", 0) + found.pop("across", 0) == 1
    assert found == {"mixture": 1, "stranger": 2, "double": 1}
    printed = capsys.readouterr().out
    assert re.search(r"Images of somebody else *│ *2 │ *about 0.1", printed)
    assert "planted/doctor.html" in printed

    fixes = yaml.load(Path("planted/fixes.yaml").read_text(), Loader=yaml.BaseLoader)
    assert sorted(fixes["same"][0]) == [PERSON, ALIAS]
    assert fixes["move"] == {"s20-3.png": "s20", "s21-3.png": "s21"}
    [(new, apart)] = fixes["split"].items()
    assert new == "s7-2"
    assert len(apart) == 10
    assert len({name.partition("-")[0] for name in apart}) == 1
    assert fixes["drop"][0] in ("s30-1.png", "copy.jpg")

    mended = folder(str(faces), fixes="planted/fixes.yaml")
    truth = {file.name: file.name.partition("-")[0] for file in mended.files}
    names = {(truth[file.name], str(who)) for file, who in zip(mended.files, mended.identities, strict=True)}
    assert len(names) == len(set(truth.values())) == len(np.unique(mended.identities))
    assert diagnosed(run, model, faces, "mended", "expected=0.1", "dataset.fixes=planted/fixes.yaml") == {}


def test_people_of_another_folder_are_found(run: Run, model: Path, faces: Path, tmp_path: Path) -> None:
    for name, other in (("s2", "Ann"), ("s6", "Ben")):
        (tmp_path / "album" / other).mkdir(parents=True)
        for number in range(1, 6):
            (faces / name / f"{name}-{number}.png").rename(tmp_path / "album" / other / f"{number}.png")
    for number in range(31, 41):
        (faces / f"s{number}").rename(tmp_path / "album" / f"s{number}")
    out, album = "shared", tmp_path / "album"
    found = diagnosed(run, model, faces, out, f"against={album}")
    assert found == {"shared": 2}
    fixes = yaml.load(Path("shared/fixes.yaml").read_text(), Loader=yaml.BaseLoader)
    assert sorted(fixes["exclude"]) == ["s2", "s6"]
    assert "s2 is Ann of the other data set" in Path("shared/doctor.html").read_text()


def test_wrong_input_is_named(run: Run, model: Path, faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*given: str) -> str:
        assert run("doctor", f"model={model}", "device=cpu", "data.decode_workers=0", *given) == 1
        return "".join(capsys.readouterr())

    assert "expected: must be more than 0" in refused("expected=0")
    assert "have no names" in refused("dataset=folder", f"dataset.root={faces}", "dataset.labels=false")
    assert "dataset.fixes: nowhere.yaml can't be read" in refused("dataset.fixes=nowhere.yaml")
    assert "against: there is no folder" in refused("against=nowhere")
