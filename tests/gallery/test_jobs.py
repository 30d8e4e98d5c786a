"""The three jobs, from photos on the disk to what they print."""

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torchvision.io import read_image, write_png

from facerec import model
from facerec.backbones import ResNet
from facerec.embedder import Embedder
from facerec.enroll import enroll
from facerec.errors import FacerecError, GalleryError
from facerec.gallery import Gallery, Sample
from facerec.gallery.__main__ import administrate
from facerec.identify import identify
from facerec.job import CONFIG_DIR
from tests.gallery.conftest import short_folder

Job = Callable[..., None]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained embedder, which knows a picture again and hardly more."""
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, embedding_dim=16, stem="imagenet"), mean=(127.0,) * 3, std=(70.0,) * 3)
    thresholds = [{"far": far, "threshold": 0.9999, "low": 0.9, "high": 1.0} for far in (1e-4, 1e-1)]
    statistics = {"thresholds": thresholds, "calibration": {"slope": 10.0, "intercept": -5.0}}
    folder = tmp_path_factory.mktemp("models") / "model"
    model.save(folder, embedder, statistics=statistics, origin={"dataset": "noise"})
    return folder


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two persons, a photo that is not one, and somebody else's photo."""
    random = np.random.default_rng(0)
    for name in ("enroll/Ann/1.png", "enroll/Ann/2.png", "enroll/Bob/1.png", "strangers/x.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = torch.from_numpy(random.integers(0, 256, (1, 3, 7, 7))).float()
        write_png(torch.nn.functional.interpolate(coarse, (140, 120)).to(torch.uint8)[0], str(file))
    (tmp_path / "enroll" / "Bob" / "broken.jpg").write_bytes(b"no picture")
    for name in (
        "@eaDir/Ann.png",
        "Bob/.ipynb_checkpoints/1-checkpoint.png",
        "Ann/._1.png",
    ):  # nobody's, and no photos
        (tmp_path / "enroll" / name).parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "strangers" / "x.png", tmp_path / "enroll" / name)
    return tmp_path


@pytest.fixture(scope="module")
def opened(model_folder: Path) -> Iterator[Gallery]:
    path = short_folder()
    with Gallery.open(path / "g", model_folder) as gallery:
        yield gallery
    shutil.rmtree(path)


@pytest.fixture
def gallery(opened: Gallery) -> Gallery:
    """An empty one, of the model in `model_folder`."""
    opened.erase(*(person.name for person in opened.persons()))
    return opened


@pytest.fixture
def job(gallery: Gallery, model_folder: Path) -> Job:
    """Composes a job's configuration and runs it on the gallery."""

    def run(task: Callable[[DictConfig], None], *overrides: str) -> None:
        given = [f"gallery.url={gallery.place}", *overrides]
        given += [] if task is administrate else [f"model={model_folder}", "finder=none"]
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            task(compose("gallery" if task is administrate else task.__name__, given))

    return run


def test_enrol_and_identify(
    job: Job,
    gallery: Gallery,
    album: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        job(enroll, f"photos={album / 'enroll'}")
    assert "passed over 0 files that are no pictures and 3 that are hidden or left by other software" in caplog.text
    summary = capsys.readouterr().out
    assert "4 photos, 1 refused; 2 persons, 3 samples now" in summary
    assert "broken.jpg" in summary
    assert [(person.name, person.samples) for person in gallery.persons()] == [("Ann", 2), ("Bob", 1)]
    [kept] = gallery.show("Bob")[1]
    assert (kept.source, kept.box, kept.score) == ("1.png", (0, 10, 119, 129), 1)

    job(identify, f"photos={album}", "draw=true", f"out={tmp_path / 'drawn'}")
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    found = {Path(line["photo"]).relative_to(album).as_posix(): line for line in lines}
    assert {name: line.get("person") for name, line in found.items()} == {
        "enroll/Ann/1.png": "Ann",
        "enroll/Ann/2.png": "Ann",
        "enroll/Bob/1.png": "Bob",
        "enroll/Bob/broken.jpg": None,
        "strangers/x.png": None,
    }
    assert "broken.jpg" in found["enroll/Bob/broken.jpg"]["problem"]
    assert found["enroll/Bob/1.png"]["matches"][0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert "unknown (nearest" in said.err
    drawn = read_image(str(tmp_path / "drawn" / "strangers" / "x.png.png"))
    assert drawn.shape == (3, 140, 120)
    assert not torch.equal(drawn, read_image(str(album / "strangers" / "x.png")))


def test_enrolling_again_adds_nothing_and_another_name_is_refused(
    job: Job, gallery: Gallery, album: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        job(enroll, f"photos={album / 'enroll'}")
    assert gallery.size() == (2, 3)
    with pytest.raises(GalleryError, match="nobody was enrolled"), caplog.at_level(logging.WARNING):
        job(enroll, f"photos={album / 'enroll' / 'Bob' / '1.png'}", "person=Eve")
    assert "the same crop is enrolled as Bob (from 1.png)" in capsys.readouterr().out
    assert "1.png of Eve looks like Bob (1.00)" in caplog.text
    assert gallery.size() == (2, 3)


def test_a_strict_review_gives_reasons(job: Job, album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for override, reason in (
        ("strict.min_size=500", "face of 119 pixels is smaller than 500"),
        ("strict.min_sharpness=1e9", "blurred (sharpness"),
    ):
        with pytest.raises(GalleryError):
            job(enroll, f"photos={album / 'strangers'}", "person=Eve", "review=strict", override)
        assert reason in capsys.readouterr().out


def test_what_is_wrong_with_the_command_is_said(job: Job, album: Path, tmp_path: Path) -> None:
    wrong: list[tuple[Callable[[DictConfig], None], list[str], str]] = [
        (enroll, [f"photos={album / 'strangers'}"], r"person: whose photo is .*x\.png"),
        (enroll, [f"photos={tmp_path / 'none'}"], "photos: there are no pictures"),
        (enroll, [f"photos={album}", "review=lax"], "review: must be largest or strict, not lax"),
        (identify, [f"photos={album}", "far=2"], "far: must lie between"),
        (administrate, ["action=erase"], "name: is needed, as in `erase name=…`"),
        (administrate, ["action=drop"], "action: must be one of list, show"),
    ]
    for task, overrides, message in wrong:
        with pytest.raises(FacerecError, match=message):
            job(task, *overrides)


def test_looking_after_a_gallery(
    job: Job, gallery: Gallery, album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job(enroll, f"photos={album / 'enroll'}")
    capsys.readouterr()

    def said(action: str, *overrides: str) -> str:
        job(administrate, f"action={action}", *overrides)
        return capsys.readouterr().out

    assert "Ann" in (listed := said("list"))
    assert "Bob" in listed
    assert "1.png" in said("show", "name=Ann")
    assert "by the window" in said("rename", "name=Ann", "to=Anna", "note=by the window")
    assert "3 samples are in" in said("export", f"file={tmp_path / 'all.jsonl'}")
    assert "Bob is Anna now, who has 3 samples" in said("merge", "name=Bob", "to=Anna")
    assert "Anna is erased, with 3 samples" in said("erase", "name=Anna")
    assert "3 new samples" in said("import", f"file={tmp_path / 'all.jsonl'}")
    stats = said("stats")
    assert "2 persons, 3 samples of 16 numbers" in stats
    assert gallery.space.model in stats
    assert "erase" in stats


def test_a_bare_word_is_the_action(gallery: Gallery, child_environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "facerec.gallery", "stats", f"gallery.url={gallery.place}"]
    done = subprocess.run(command, env=child_environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 persons, 0 samples" in done.stdout
    assert list(tmp_path.iterdir()) == []  # no log that would keep names


def test_rebuilding_with_another_model(
    album: Path, folder: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    other = tmp_path / "other"
    embedder = Embedder(ResNet(18, embedding_dim=24, stem="imagenet"), mean=(127.0,) * 3, std=(70.0,) * 3)
    model.save(other, embedder, statistics=model.read_statistics(model_folder), origin={"dataset": "noise"})

    def run(task: Callable[[DictConfig], None], *overrides: str) -> str:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            name = "gallery" if task is administrate else task.__name__
            task(compose(name, [f"gallery.url={folder}", *overrides]))
        return capsys.readouterr().out

    ours, theirs = f"model={model_folder}", f"model={other}"
    with Gallery.open(folder, model_folder) as before:
        run(enroll, f"photos={album / 'enroll'}", ours, "finder=none", "keep_crops=true")
        assert "3 samples were embedded anew" in run(administrate, "action=rebuild", theirs)
        with pytest.raises(GalleryError, match=r"of model .* by now"):
            before.identify(np.eye(1, 16, dtype=np.float32))
        with pytest.raises(GalleryError, match=r"of model .* by now"):
            before.enroll("Ann", [Sample(np.eye(1, 16, dtype=np.float32)[0])])
        lines = run(identify, f"photos={album / 'enroll' / 'Ann'}", theirs, "finder=none").splitlines()
        assert [json.loads(line)["person"] for line in lines] == ["Ann", "Ann"]
        file = tmp_path / "all.jsonl"
        run(administrate, "action=export", f"file={file}")
        run(administrate, "action=erase", "name=Ann")
        assert "2 new samples" in run(administrate, "action=import", f"file={file}")
        assert "3 samples were embedded anew" in run(administrate, "action=rebuild", ours)
        run(enroll, f"photos={album / 'strangers'}", "person=Eve", ours, "finder=none")
        with pytest.raises(GalleryError, match="1 samples have no kept crop"):
            run(administrate, "action=rebuild", theirs)
        assert before.size() == (3, 4)
