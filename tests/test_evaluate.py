import csv
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hydra import compose, initialize_config_dir

from facerec.data import FaceImages, folder
from facerec.data.cache import open_crops
from facerec.evaluate import _inputs
from facerec.job import CONFIG_DIR
from facerec.metrics import retrieval_metrics
from facerec.models import load, open_model
from facerec.models.folder import read_statistics
from facerec.runtime.files import replace_file

OUT = Path("outputs/faces/evaluation")
MODEL = Path("outputs/faces/ensemble/model")
QUICK = ["logger=csv", "resamples=50", "data.decode_workers=0"]


def test_a_study_is_measured_side_by_side_and_its_model_learns_its_thresholds(
    run: Callable[..., int], study: Path, people: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    attributes = Path("attributes.txt")
    names = sorted({file.name for file in folder(str(people)).files})
    values = [f"{name} {(-1) ** k}" for k, name in enumerate(names)]
    attributes.write_text("\n".join([str(len(names)), "Good", *values]))
    assert run("evaluate", "study=faces", f"attributes={attributes}", *QUICK) == 0
    results = json.loads((OUT / "metrics.json").read_text())
    assert list(results["systems"]) == ["resnet18", "resnet34", "resnet50", "concatenation", "ensemble"]
    said = capfd.readouterr().out
    assert all(name in said for name in results["systems"])

    images = folder(str(people))
    rows, crops = images.rows("test"), open_crops(images, people.parent / "cache", 0)
    labels = torch.from_numpy(images.labels()[rows])
    model = load(MODEL)
    expected = retrieval_metrics(torch.from_numpy(model.embed(crops[rows])), labels)
    figures = results["systems"]["ensemble"]
    assert figures["MAP@R"]["value"] == pytest.approx(expected.map_at_r, abs=1e-6)
    assert figures["MAP@R"]["low"] <= figures["MAP@R"]["value"] <= figures["MAP@R"]["high"]
    members = [figures["MAP@R"]["value"] for figures in list(results["systems"].values())[:3]]
    gain = next(iter(results["differences"].values()))["MAP@R"]["value"]
    assert gain == pytest.approx(figures["MAP@R"]["value"] - max(members), abs=1e-9)
    assert {"Good", "not Good"} <= results["slices"].keys()

    statistics = read_statistics(MODEL)
    assert statistics["thresholds"] == results["thresholds"]
    assert [row["far"] for row in statistics["thresholds"]] == [1e-2, 1e-3, 1e-4]
    assert statistics["calibration"]["slope"] > 0
    assert "ensemble" in statistics  # what assembly found is still there
    with (OUT / "metrics.csv").open(newline="") as stream:
        table = {(row["system"], row["figure"]): row["value"] for row in csv.DictReader(stream)}
    assert float(table["ensemble", "MAP@R"]) == figures["MAP@R"]["value"]

    page = (OUT / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", page), "the page needs nothing from elsewhere"
    assert page.count("data:image/png") == 5
    assert page.count("data:image/jpeg") >= 24

    before = (OUT / "metrics.json").stat().st_mtime_ns
    assert run("evaluate", "study=faces", f"attributes={attributes}", *QUICK) == 0
    assert (OUT / "metrics.json").stat().st_mtime_ns == before
    assert run("evaluate", "study=faces", "seed=1", *QUICK) == 0
    assert (OUT / "metrics.json").stat().st_mtime_ns > before


def test_a_model_alone_can_be_measured_and_a_list_of_pairs_with_it(
    run: Callable[..., int], study: Path, people: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    [member] = study.glob("resnet18/*/model")
    folder = Path("lfw")
    for name in ("s1", "s2", "s3"):
        (folder / name).mkdir(parents=True)
        for number in (1, 2, 3):
            shutil.copy(people / name / f"{number}.pgm", folder / name / f"{name}_{number:04d}.pgm")
    Path("pairs.txt").write_text("2 1\ns1 1 2\ns1 1 s2 1\ns2 1 2\ns2 1 s9 3\n")
    quick = [*QUICK[1:], "logger=wandb"]
    given = ["pairs_root=lfw", "pairs=[pairs.txt]", "detector=none", "hydra.run.dir=alone"]
    assert run("evaluate", f"model={member.parent}", *given, *quick) == 0
    assert list(Path("alone/wandb").glob("offline-run-*/*.wandb"))
    results = json.loads(Path("alone/metrics.json").read_text())
    assert list(results["systems"]) == ["model"]
    assert results["differences"] == {}
    assert results["pair_sets"]["pairs"]["missing"] == ["s9/s9_0003"]
    assert results["pair_sets"]["pairs"]["pairs"] == 3
    assert "1 images are missing: s9/s9_0003" in capfd.readouterr().out
    assert "<h3>pairs</h3>" in Path("alone/report.html").read_text()


@pytest.mark.parametrize("job", ["assemble", "evaluate"])
def test_a_shard_only_embeds(run: Callable[..., int], study: Path, job: str) -> None:
    cache = Path("elsewhere")
    given = ["study=faces", f"data.cache_dir={cache}", "hydra.run.dir=apart"]
    # three members; assembly embeds the validation images, evaluation those and the test's
    blocks = {"assemble": 3, "evaluate": 6}[job]
    # the few images of a split are all in its first block
    for shard, written in (("1/2", 0), ("0/2", blocks)):
        assert run(job, *given, f"shard={shard}") == 0
        assert len(list(cache.glob("embeddings-*/*"))) == written
    assert not {"model", "metrics.json"} & {file.name for file in Path("apart").iterdir()}
    before = {file: file.stat().st_mtime_ns for file in cache.glob("embeddings-*/*")}
    assert run(job, *given, *(QUICK[:2] if job == "evaluate" else [])) == 0
    assert {file: file.stat().st_mtime_ns for file in cache.glob("embeddings-*/*")} == before


def _spoil(model: Path) -> None:
    weights = safetensors.torch.load_file(model / "weights.safetensors")
    weights["members.1.backbone.fc.bias"].fill_(torch.nan)
    replace_file(model / "weights.safetensors", safetensors.torch.save(weights))


def test_what_it_refuses(
    run: Callable[..., int], study: Path, people: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("empty.txt").touch()
    statistics = (MODEL / "statistics.json").read_bytes()
    same = ["dataset=folder", f"dataset.root={people}"]
    for overrides, message in (
        (["split=train"], "the model was trained on 8 of the 10 identities"),
        (["split=val"], "split must be test or train"),
        ([*same, "dataset.test_share=0"], "has no test images"),
        (["model=nowhere"], "nowhere"),
        (["pairs=[empty.txt]", f"pairs_root={people}"], "empty.txt, line 1"),
        (["pairs=[empty.txt]"], "pairs_root: must be given, the folder of the images of empty.txt"),
        (["pairs=[a.bin,b/a.bin]"], "there are two sets called a; rename a file"),
        (["pairs=none.bin"], "none.bin can't be read"),
        (["flip=true", "store_thresholds=true"], "store_thresholds: a gallery adds no mirror images"),
        (["attributes=none.txt"], "none.txt can't be read"),
        (["device=gpu7"], "device: 'gpu7' is not a device of this machine"),
        (["+sede=1"], "sede: no such key"),
    ):
        assert run("evaluate", "study=faces", *overrides, *QUICK) == 1
        said = "".join(capfd.readouterr())
        assert message in " ".join(said.split())
        assert "Traceback" not in said
        assert not (OUT / "metrics.json").exists()
    assert (MODEL / "statistics.json").read_bytes() == statistics

    _spoil(MODEL)
    assert run("evaluate", "study=faces", *QUICK) == 1
    assert "member resnet34: embeddings are not finite" in " ".join("".join(capfd.readouterr()).split())


def test_a_model_decides_with_the_thresholds_of_its_first_set_until_told_otherwise(
    run: Callable[..., int], study: Path, people: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = next(study.glob("resnet18/*/model"))
    other = Path("other [red] $x$")
    shutil.copytree(people, other, ignore=shutil.ignore_patterns("s[34]"))
    of_other = ["dataset=folder", f"dataset.root='{other}'", "dataset.test_share=0.4"]
    a, b = model.parent / "evaluation", model.parent / "evaluation" / other
    title = rf"people of other \[red\] \$x\$ \(test\), trained on another data set \({people.name}\)"

    def evaluated(*overrides: str) -> str:
        assert run("evaluate", f"model={model}", *overrides, *QUICK) == 0
        return capfd.readouterr().out

    def thresholds(folder: Path) -> Any:
        return json.loads((folder / "metrics.json").read_text())["thresholds"]

    def stored() -> Any:
        return read_statistics(model)["thresholds"]

    said = evaluated()
    assert f"2 people of {people.name} (test), never seen in training" in said
    assert "The model uses these thresholds" in said
    assert stored() == thresholds(a)
    page = (a / "report.html").read_text()
    assert "none of whom the model was trained on" in page
    assert 'class="wide"><h3>Similarity distributions' not in page

    said = evaluated(*of_other)
    assert re.search(title, said)
    assert f"thresholds measured on 2 people of {people.name} (test); store_thresholds=true stores" in said
    assert thresholds(b) != thresholds(a) == stored()
    page = (b / "report.html").read_text()
    assert f"trained on another data set, {people.name}: they may be among its training people" in page
    assert f"The model uses thresholds measured on 2 people of {people.name} (test)" in page

    assert "have changed, so the figures stay" in evaluated()
    assert stored() == thresholds(a)
    said = evaluated(*of_other, "store_thresholds=true")
    assert "have changed, so the figures stay" in said
    assert "The model uses these thresholds" in said
    assert stored() == thresholds(b)
    assert "The model uses these thresholds" in (b / "report.html").read_text()

    assert "measured on 4 people of other [red] $x$ (test); store_thresholds=true stores" in evaluated()
    assert stored() == thresholds(b)
    assert "measured on 4 people of other [red] $x$ (test)" in (a / "report.html").read_text()
    evaluated(*of_other, "seed=1")  # the same set again
    assert stored() == thresholds(b)
    assert read_statistics(model)["evaluated_on"]["dataset"] == str(other)

    statistics = {key: value for key, value in read_statistics(model).items() if key != "trained_on"}
    replace_file(model / "statistics.json", json.dumps(statistics).encode())
    assert "training people not known" in evaluated()
    assert "it is not known on whom the model was trained" in (a / "report.html").read_text()


def test_all_that_decides_the_figures_decides_their_freshness(
    run: Callable[..., int], study: Path, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos_folder = Path("lfw/s1")
    photos_folder.mkdir(parents=True)
    for number in (1, 2):
        shutil.copy(people / f"s1/{number}.pgm", photos_folder / f"s1_{number:04d}.pgm")
    lists = {"pairs.txt": "1 1\ns1 1 2\ns1 1 s2 1\n", "attributes.txt": "1\nGood\n1.pgm 1\n", "set.bin": "a"}
    for name, text in lists.items():
        Path(name).write_text(text)
    images = folder(str(people))
    given = ["pairs_root=lfw", "pairs=[pairs.txt,set.bin]", "attributes=attributes.txt"]

    def inputs(*overrides: str, images: FaceImages = images) -> dict[str, Any]:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            cfg = compose("evaluate", ["study=faces", *given, *overrides])
        return _inputs(cfg, open_model(MODEL), images)

    def changed(*overrides: str, images: FaceImages = images) -> set[str]:
        now = inputs(*overrides, images=images)
        return {key for key in now if now[key] != before[key]}

    before = inputs()
    for file in (*photos_folder.iterdir(), *map(Path, lists)):
        os.utime(file, (1, 1))
    assert changed("device=cpu", "data.batch_size=7", "logger=csv", "store_thresholds=true") == set()
    assert changed("detector.smallest=16") == changed("detector=none") == {"detector"}
    assert changed("seed=7") == {"seed"}
    assert changed("flip=true") == {"flip"}
    assert changed("pairs=[set.bin]", "detector=none") == {"pairs", "pairs_root", "detector"}
    Path("set.bin").write_text("b")
    assert changed() == {"pairs"}
    Path("set.bin").write_text("a")
    assert changed(images=replace(images, identities=np.char.add(images.identities, "x"))) == {"data"}
    Path("pairs.txt").write_text(lists["pairs.txt"].replace("s2 1", "s2 2"))
    assert changed() == {"pairs"}
    Path("attributes.txt").write_text(lists["attributes.txt"].replace("1.pgm 1", "1.pgm -1"))
    assert changed() == {"pairs", "attributes"}
    shutil.copy(photos_folder / "s1_0001.pgm", photos_folder / "s1_0002.pgm")
    monkeypatch.setattr("facerec._version.__version__", "9.9", raising=False)
    assert changed() == {"pairs", "attributes", "pairs_root", "version"}


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        ([], "outputs/study/evaluation"),
        (["study=faces"], "outputs/faces/evaluation"),
        (["study=faces", "dataset=orl"], "outputs/faces/evaluation"),
        (["model=run"], "run/evaluation"),
        (["model=run/model"], "run/evaluation"),
        (["model=run/model", "dataset=orl"], "run/evaluation/orl"),
        (["model=run", "dataset=folder", "dataset.root=/data/My people/"], "run/evaluation/My people"),
        (["model=run", "dataset=folder"], "run/evaluation/folder"),
        (["model=external.yaml", "dataset=orl"], "outputs/evaluation/external/orl"),
        (["model=some/other"], "outputs/evaluation/other"),
        (["model=antelope", "dataset=celeba", "dataset.root=/data/wild"], "outputs/evaluation/antelope/celeba"),
    ],
)
def test_where_an_evaluation_lies(in_folder: Path, overrides: list[str], place: str) -> None:
    for made in ("run/model", "some/other"):
        Path(made).mkdir(parents=True)
    Path("external.yaml").touch()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        cfg = compose("evaluate", overrides, return_hydra_config=True)
    assert Path(cfg.hydra.run.dir).absolute() == in_folder / place


def test_seen_identities_are_measured_only_on_request_and_give_no_thresholds(
    run: Callable[..., int], study: Path
) -> None:
    statistics = (MODEL / "statistics.json").read_bytes()
    assert run("evaluate", "study=faces", "split=train", "allow_seen=true", *QUICK) == 0
    assert json.loads((OUT / "metrics.json").read_text())["shared_identities"] == 8
    assert "were in the training set" in (OUT / "report.html").read_text()
    assert (MODEL / "statistics.json").read_bytes() == statistics
