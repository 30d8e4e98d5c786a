"""`facerec pairs` writes a file on which models are as accurate as on its list."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facerec.evaluation import read_pair_file
from facerec.models import open_model
from tests.conftest import Run

QUICK = ["logger=csv", "resamples=50", "data.decode_workers=0"]


@pytest.fixture
def listed(in_folder: Path, people: Path) -> list[str]:
    """ORL faces as LFW lays its images out, and a list with two folds; one image is missing and one is blank."""
    root = Path("my lfw")
    for person in ("s1", "s2", "s3", "s4"):
        (root / person).mkdir(parents=True)
        for number in range(1, 7):
            shutil.copy(people / person / f"{number}.pgm", root / person / f"{person}_{number:04d}.pgm")
    Image.new("L", (92, 112), 128).save(root / "s4/s4_0006.pgm")
    folds = [("s1", "s2"), ("s3", "s4")]
    lines = []
    for a, b in folds:
        lines += [f"{name} {n} {n + 1}\n" for name in (a, b) for n in range(1, 6)]
        lines += [f"{a} {n} {b} {m}\n" for n in (1, 3) for m in range(1, 6)]
    lines[-1] = "s3 3 s9 1\n"
    Path("pairs.txt").write_text("2 10\n" + "".join(lines))
    return [f"root={root}", "list=pairs.txt"]


def test_accuracy_on_the_file_is_that_on_the_list(
    run: Run, study: Path, listed: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("pairs", "out=own set.bin", *listed, "detector=none") == 0
    said = capfd.readouterr()
    assert "own set.bin: 39 pairs of 24 images, 20 of one person" in said.out
    assert "no face was found in 0 images and 1 are missing, so 1 pairs are left out" in said.out
    assert "faces: 100%" in said.err
    [member] = study.glob("resnet18/*/model")
    given = ["pairs=['own set.bin',pairs.txt]", "pairs_root=my lfw", "detector=none", *QUICK]
    assert run("evaluate", f"model={member}", *given, "hydra.run.dir=plain") == 0
    found = json.loads(Path("plain/metrics.json").read_text())["pair_sets"]
    file, texts = found["own set"], found["pairs"]
    assert (texts["missing"], file["missing"]) == (["s9/s9_0001"], [])
    for key in ("pairs", "impostor_pairs", "images"):
        assert file[key] == texts[key]
    # the folds differ: two of the list, ten of the file; what no threshold of a fold decides does not
    for figure in ("EER", "AUC"):
        one, other = (measured["systems"]["model"]["figures"][figure]["value"] for measured in (file, texts))
        assert one == pytest.approx(other, abs=1e-6)
    _accuracy_as_measured(file, member)

    capfd.readouterr()
    assert run("evaluate", f"model={member}", *given, "flip=true", "hydra.run.dir=flipped") == 0
    assert "no threshold is stored with the model" in " ".join(capfd.readouterr().out.split())
    flipped = json.loads(Path("flipped/metrics.json").read_text())
    assert flipped["flip"] is True
    plain = json.loads(Path("plain/metrics.json").read_text())
    assert flipped["fingerprint"] != plain["fingerprint"]
    for results in (flipped["systems"], flipped["pair_sets"]["own set"]["systems"]):
        assert results["model"] != (plain["systems"] if results is flipped["systems"] else file["systems"])["model"]
    assert open_model(member).statistics.thresholds[0].threshold == plain["thresholds"][0]["threshold"]


def _accuracy_as_measured(found: dict[str, Any], member: Path) -> None:
    """By the model folder's own embeddings, and thresholds tried one by one on nine folds."""
    pair_set = read_pair_file(Path("own set.bin"))
    vectors = open_model(member, "cpu").members["model"].embed(pair_set.crops).astype(np.float64)
    similarity = (vectors[pair_set.left] * vectors[pair_set.right]).sum(axis=1)
    system = found["systems"]["model"]
    held = np.array_split(np.arange(39), 10)
    for rows, threshold, accuracy in zip(held, system["thresholds"], system["accuracies"], strict=True):
        others = np.setdiff1d(np.arange(39), rows)
        right = [((similarity >= t) == pair_set.same)[others].sum() for t in [*similarity, 2, threshold]]
        assert right[-1] == max(right)
        assert accuracy == ((similarity >= threshold) == pair_set.same)[rows].mean()
    assert system["figures"]["accuracy"]["value"] == pytest.approx(np.mean(system["accuracies"]))


def test_a_list_without_folds_and_its_file_have_the_same_folds(run: Run, study: Path, listed: list[str]) -> None:
    lines = Path("pairs.txt").read_text().splitlines()[1:]
    ordered = [*lines[:10], *lines[20:30], *lines[10:20], *lines[30:39], "s1 6 s4 2"]
    Path("pairs.txt").write_text("\n".join(["20", *ordered]) + "\n")
    assert run("pairs", "out=file.bin", *listed, "detector=none") == 0
    given = ["pairs=[file.bin,pairs.txt]", "pairs_root=my lfw", "detector=none", "hydra.run.dir=both", *QUICK]
    assert run("evaluate", "study=faces", *given) == 0
    found = json.loads(Path("both/metrics.json").read_text())["pair_sets"]
    systems, others = found["file"]["systems"], found["pairs"]["systems"]
    assert list(systems) == ["resnet18", "resnet34", "resnet50", "concatenation", "ensemble"]
    for name, system in systems.items():
        assert system["accuracies"] == others[name]["accuracies"]
        assert len(system["accuracies"]) == 10
        assert system["figures"]["accuracy"]["value"] == others[name]["figures"]["accuracy"]["value"]
        assert system["std"] == others[name]["std"]


def test_faces_are_found_and_images_without_one_are_told(
    run: Run, listed: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("pairs", "out=set.bin", *listed) == 0
    assert "no face was found in 1 images and 1 are missing, so 2 pairs" in capfd.readouterr().out
    assert len(read_pair_file(Path("set.bin")).crops) == 23


def test_what_it_refuses(run: Run, listed: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    Path("there.bin").touch()
    Path("empty.txt").touch()
    for overrides, message in (
        (["out=set.txt"], "out: set.txt must end in .bin"),
        (["out=there.bin"], "out: there.bin is there already"),
        (["out=set.bin", "list=none.txt"], "none.txt: can't be read as a list of pairs"),
        (["out=set.bin", "list=empty.txt"], "empty.txt, line 1"),
        (["out=set.bin", "root=nowhere"], "there is no folder nowhere of images of the pair list"),
    ):
        assert run("pairs", *listed, *overrides, "detector=none") == 1
        said = "".join(capfd.readouterr())
        assert message in " ".join(said.split())
        assert "Traceback" not in said
    assert not Path("set.bin").exists()
