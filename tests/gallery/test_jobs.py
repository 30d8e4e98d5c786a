"""The three jobs, from photos on the disk to what they print."""

import base64
import csv
import io
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from facerec.backbones import ResNet
from facerec.crops import encode_png, read_photo
from facerec.errors import ConfigError, FacerecError, GalleryError, RefusedError
from facerec.gallery import Enrolled, Gallery, Sample
from facerec.models import store as model
from facerec.models.embedder import Embedder
from facerec.models.folder import read_statistics
from tests.conftest import Run
from tests.gallery.conftest import short_folder

Job = Callable[..., None]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two persons, a photo that is not one, and somebody else's photo."""
    random = np.random.default_rng(0)
    for name in ("enroll/Ann/1.png", "enroll/Ann/2.png", "enroll/Bob/1.png", "strangers/x.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 256, (7, 6, 3), dtype=np.uint8)
        file.write_bytes(encode_png(coarse.repeat(20, axis=0).repeat(20, axis=1)))
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
    opened.erase(*(person.id for person in opened.persons()))
    return opened


@pytest.fixture
def job(run: Run, gallery: Gallery, model_folder: Path) -> Job:
    """Runs a job on the gallery; its errors are raised."""

    def on_gallery(name: str, *overrides: str) -> None:
        given = [f"gallery.url={gallery.place}", *overrides]
        given += [] if name == "gallery" else [f"model={model_folder}", "detector=none"]
        run.raising(name, *given)

    return on_gallery


def test_enrol_and_identify(
    job: Job,
    gallery: Gallery,
    album: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(RefusedError, match="1 of 4 photos were refused"):
        job("enroll", f"photos={album / 'enroll'}")
    assert "passed over 0 files that are not photos and 3 that are hidden or left by other software" in caplog.text
    summary = capsys.readouterr().out
    assert "4 photos, 1 refused; 2 persons, 3 samples now" in summary
    assert summary.count("broken.jpg") == 1
    assert [(person.name, person.samples) for person in gallery.persons()] == [("Ann", 2), ("Bob", 1)]
    [kept] = gallery.show("Bob")[1]
    assert (kept.source, kept.box, kept.score) == ("1.png", (0, 10, 119, 129), 1)

    job("identify", f"photos={album}", "draw=true", f"out={tmp_path / 'drawn'}")
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
    assert found["enroll/Bob/broken.jpg"]["problem"].startswith("this is not a photo that can be read")
    [nearest, _] = found["enroll/Bob/1.png"]["matches"]
    assert nearest["similarity"] == pytest.approx(1, abs=1e-3)
    assert nearest["id"] == found["enroll/Bob/1.png"]["person_id"] == str(gallery.show("Bob")[0].id)
    assert "unknown (nearest" in said.err
    assert f"photos with names: {tmp_path / 'drawn'}" in said.err
    drawn = read_photo(tmp_path / "drawn" / "strangers" / "x.png.png")
    assert drawn.shape == (140, 120, 3)
    assert not np.array_equal(drawn, read_photo(album / "strangers" / "x.png"))


def test_enrolling_again_adds_nothing_and_another_name_is_refused(
    job: Job, gallery: Gallery, album: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        job("enroll", f"photos={album / 'enroll' / 'Ann'}", "person=Ann")
        job("enroll", f"photos={album / 'enroll' / 'Bob' / '1.png'}", "person=Bob")
    assert gallery.size() == (2, 3)
    with pytest.raises(GalleryError, match="nobody was enrolled"):
        job("enroll", f"photos={album / 'enroll' / 'Bob' / '1.png'}", "person=Eve")
    assert "the same crop is enrolled as Bob (from 1.png)" in capsys.readouterr().out
    assert gallery.size() == (2, 3)
    job("enroll", f"photos={album / 'strangers'}", "person=Eve", "threshold=-1")
    assert "x.png of Eve looks like " in caplog.text
    assert f"warning {album / 'strangers' / 'x.png'} of Eve looks like " in capsys.readouterr().out


def test_a_strict_review_gives_reasons(job: Job, album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for override, reason in (
        ("strict.min_size=500", "face of 119 pixels is smaller than 500"),
        ("strict.min_sharpness=1e9", "blurred (sharpness"),
    ):
        with pytest.raises(GalleryError):
            job("enroll", f"photos={album / 'strangers'}", "person=Eve", "review=strict", override)
        assert reason in capsys.readouterr().out


def test_what_is_wrong_with_the_command_is_said(job: Job, album: Path, tmp_path: Path) -> None:
    wrong: list[tuple[str, list[str], str]] = [
        ("enroll", [f"photos={album / 'strangers'}"], r"person: whose photo is .*x\.png"),
        ("enroll", [f"photos={tmp_path / 'none'}"], "photos: there are no photos"),
        ("enroll", [f"photos={album}", 'person="Ann\u2028Eve"'], r"person: a person's name .* a line break"),
        ("gallery", ["action=import", f"file={tmp_path / 'none'}"], "file: there is no file"),
        ("enroll", [f"photos={album}", "review=lax"], "review: must be largest or strict, not lax"),
        ("identify", [f"photos={album}", "far=2"], "far: must lie between"),
        ("gallery", ["action=erase"], "name: must be given, as in `erase name=…`"),
        ("gallery", ["action=drop"], "action: must be one of list, show"),
    ]
    for name, overrides, message in wrong:
        with pytest.raises(FacerecError, match=message):
            job(name, *overrides)


def test_looking_after_a_gallery(
    job: Job, gallery: Gallery, album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (album / "enroll" / "Bob" / "broken.jpg").unlink()
    job("enroll", f"photos={album / 'enroll'}")
    capsys.readouterr()

    def said(action: str, *overrides: str) -> str:
        job("gallery", f"action={action}", *overrides)
        return capsys.readouterr().out

    assert "Ann" in (listed := said("list"))
    assert "Bob" in listed
    assert "1.png" in said("show", "name=Ann")
    assert "by the window" in said("rename", "name=Ann", "to=Anna", "note=by the window")
    assert "exported 3 samples to" in said("export", f"file={tmp_path / 'all.jsonl'}")
    assert "Bob was merged into Anna (" in said("merge", "name=Bob", "to=Anna")
    assert "Anna was erased, with 3 samples" in said("erase", "name=Anna")
    assert "3 new samples" in said("import", f"file={tmp_path / 'all.jsonl'}")
    stats = said("stats")
    assert "2 persons, 3 samples of 16 numbers" in stats
    assert gallery.model.fingerprint in stats
    assert "erase" in stats


def test_a_bare_word_is_the_action(gallery: Gallery, child_environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "facerec.gallery", "stats", f"gallery.url={gallery.place}"]
    done = subprocess.run(command, env=child_environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 persons, 0 samples" in done.stdout
    assert list(tmp_path.iterdir()) == []  # no log that would keep names


def test_rebuilding_with_another_model(
    run: Run, album: Path, folder: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    other = tmp_path / "other"
    embedder = Embedder(ResNet(18, embedding_dim=24, stem="imagenet"), mean=(127.0,) * 3, std=(70.0,) * 3)
    model.save(other, embedder, statistics=read_statistics(model_folder), origin={"dataset": "noise"})

    def printed(job: str, *overrides: str) -> str:
        run.raising(job, f"gallery.url={folder}", *overrides)
        return capsys.readouterr().out

    (album / "enroll" / "Bob" / "broken.jpg").unlink()
    ours, theirs = f"model={model_folder}", f"model={other}"
    with Gallery.open(folder, model_folder) as before:
        printed("enroll", f"photos={album / 'enroll'}", ours, "detector=none", "keep_crops=true")
        assert "3 samples were embedded again" in printed("gallery", "action=rebuild", theirs)
        with pytest.raises(GalleryError, match="is now of model"):
            before.identify(np.eye(1, 16, dtype=np.float32))
        with pytest.raises(GalleryError, match="is now of model"):
            before.enroll("Ann", [Sample(np.eye(1, 16, dtype=np.float32)[0])])
        lines = printed("identify", f"photos={album / 'enroll' / 'Ann'}", theirs, "detector=none").splitlines()
        assert [json.loads(line)["person"] for line in lines] == ["Ann", "Ann"]
        file = tmp_path / "all.jsonl"
        printed("gallery", "action=export", f"file={file}")
        printed("gallery", "action=erase", "name=Ann")
        assert "2 new samples" in printed("gallery", "action=import", f"file={file}")
        assert "3 samples were embedded again" in printed("gallery", "action=rebuild", ours)
        printed("enroll", f"photos={album / 'strangers'}", "person=Eve", ours, "detector=none")
        with pytest.raises(GalleryError, match="1 samples have no kept crop"):
            printed("gallery", "action=rebuild", theirs)
        assert before.size() == (3, 4)


def test_a_bad_name_or_file_does_not_end_the_album(
    job: Job, gallery: Gallery, album: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = album / "enroll"
    bad = {" \u3000 ": "must not be empty", "Eve\nMallory": "a line break", "\u202eevE": "writing direction"}
    bad |= {os.fsdecode(b"Jos\xe9"): "surrogate", "x" * 201: "has 201 characters"}
    for name in bad:
        shutil.copytree(root / "Ann", root / name)
    shutil.copy(album / "strangers" / "x.png", root / "stray.png")
    shutil.move(root / "Bob" / "1.png", root / "Bob" / os.fsdecode(b"caf\xe9\n.png"))
    (root / "Cleo").mkdir()
    (root / ".thumbnails").mkdir()
    (root / "Dan").mkdir()
    (root / "Dan" / "1.jpg").write_bytes(b"")
    with pytest.raises(RefusedError, match="13 of 16 photos were refused"):
        job("enroll", f"photos={root}")
    said = capsys.readouterr().out
    said.encode()
    assert "16 photos, 13 refused; 2 persons, 3 samples now" in said
    for reason in bad.values():
        assert reason in said
    for name in ("Jos\ufffd", "Eve\ufffdMallory", "\ufffdevE"):
        assert f"refused {root / name}, 2 photos: a person's name" in said
    assert f"refused {root / 'stray.png'}: lies in no person's folder" in said
    assert f"skipped {root / 'Cleo'}: there are no photos in it" in said
    assert ".thumbnails" not in said
    assert f"refused {root / 'Dan' / '1.jpg'}: the file is empty" in said
    assert re.search(r"Dan +│ 0 +│ 0 +│ 1 ", said)
    assert [one.source for one in gallery.show("Bob")[1]] == ["caf\ufffd\ufffd.png"]


def test_people_of_one_name_are_told_apart(
    job: Job, gallery: Gallery, album: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job("enroll", f"photos={album / 'enroll' / 'Ann'}", "person=Ann")
    job("enroll", f"photos={album / 'strangers' / 'x.png'}", "person=Ann", "new=true")
    job("enroll", f"photos={album / 'enroll' / 'Bob' / '1.png'}", "person=Bob")
    capsys.readouterr()
    job("identify", f"photos={album}")
    said = capsys.readouterr()
    lines = {Path(line["photo"]).name: line for line in map(json.loads, said.out.splitlines())}
    other = next(person for person in gallery.persons() if person.name == "Ann" and person.samples == 1)
    assert lines["x.png"]["person_id"] == str(other.id)
    assert f"Ann ({other.short_id})" in said.err
    assert re.search(r"│ Bob +│", said.err)


def test_what_was_refused_is_corrected_and_fed_back_in(
    job: Job, gallery: Gallery, album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, table = album / "enroll", tmp_path / "refused.csv"
    (root / "Bob" / "broken.jpg").unlink(missing_ok=True)
    (root / "Bob").rename(root / os.fsdecode(b"=B\xf6b\n"))  # neither UTF-8 nor one line, and a formula
    shutil.copy(album / "strangers" / "x.png", root / "stray.png")
    with pytest.raises(RefusedError, match="2 of 4 photos were refused"):
        job("enroll", f"photos={root}", f"refused={table}")
    rows = list(csv.DictReader(io.StringIO(table.read_bytes().decode("utf-8-sig", "surrogateescape"), newline="")))
    assert {row["person"] for row in rows} == {os.fsdecode(b"'=B\xf6b\n"), ""}
    assert all(row["reason"] and Path(row["photo"]).is_file() for row in rows)
    with pytest.raises(GalleryError, match="nobody was enrolled"):  # as it is, it is refused again
        job("enroll", f"photos={table}", "people=table", f"refused={table}")
    again = list(csv.DictReader(io.StringIO(table.read_bytes().decode("utf-8-sig", "surrogateescape"), newline="")))
    assert {(row["photo"], row["person"]) for row in again} == {(row["photo"], row["person"]) for row in rows}
    names = {"x": "Cleo", "1": "Bob"}
    with table.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        csv.writer(stream).writerows(
            [("person", "photo"), *((names.get(Path(row["photo"]).stem, "Cleo"), row["photo"]) for row in rows)]
        )
    job("enroll", f"photos={table}", "people=table", f"refused={tmp_path / 'none.csv'}")
    assert [(person.name, person.samples) for person in gallery.persons()] == [("Ann", 2), ("Bob", 1), ("Cleo", 1)]
    assert (tmp_path / "none.csv").read_text(encoding="utf-8-sig") == "photo,person,reason\n"
    with pytest.raises(ConfigError, match="names no photo"):
        job("enroll", f"photos={tmp_path / 'none.csv'}", "people=table")
    with pytest.raises(ConfigError, match="is no table with the columns photo and person"):
        job("enroll", f"photos={root / 'Ann' / '1.png'}", "people=table")
    (tmp_path / "nobody.csv").write_text("photo,person\n,Bob\n")
    with pytest.raises(ConfigError, match="line 2: names no photo"):
        job("enroll", f"photos={tmp_path / 'nobody.csv'}", "people=table")
    with pytest.raises(ConfigError, match=f"refused: there is no folder {tmp_path / 'nowhere'}"):
        job("enroll", f"photos={root}", f"refused={tmp_path / 'nowhere' / 'refused.csv'}")
    with pytest.raises(ConfigError, match="people=xmp has its names in the photos"):
        job("enroll", f"photos={root}", "people=xmp", f"refused={table}")


def test_what_a_stopped_enrolment_has_not_reached_stays_in_the_table(
    job: Job, gallery: Gallery, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "table.csv"
    photos = [
        album / "enroll" / "Ann" / "1.png",
        album / "enroll" / "Ann" / "2.png",
        album / "enroll" / "Bob" / "1.png",
    ]
    table.write_text("photo,person\n" + "".join(f"{photo},{photo.parent.name}\n" for photo in photos))
    enroll = Gallery.enroll

    def enroll_one(self: Gallery, who: str, samples: Sequence[Sample], new: bool) -> Enrolled:
        if self.persons():
            raise KeyboardInterrupt
        return enroll(self, who, samples, new=new)

    monkeypatch.setattr(Gallery, "enroll", enroll_one)
    with pytest.raises(KeyboardInterrupt):
        job("enroll", f"photos={table}", "people=table", f"refused={table}")
    monkeypatch.undo()
    assert [person.samples for person in gallery.persons()] == [1]
    job("enroll", f"photos={table}", "people=table", f"refused={table}")
    assert [(person.name, person.samples) for person in gallery.persons()] == [("Ann", 2), ("Bob", 1)]


def test_the_status_says_whether_something_was_refused(
    run: Run, gallery: Gallery, album: Path, model_folder: Path
) -> None:
    def status(photos: Path, person: str) -> int:
        given = (f"model={model_folder}", f"gallery.url={gallery.place}", "detector=none")
        return run("enroll", f"photos={photos}", f"person={person}", *given)

    bob = album / "enroll" / "Bob"
    assert status(bob, "Bob [/b]") == 3
    assert status(bob / "1.png", "Bob [/b]") == 0
    assert status(bob / "broken.jpg", "Bob [/b]") == 1
    assert status(bob / "1.png", "Bob\n") == 1
    assert [one.name for one in gallery.persons()] == ["Bob [/b]"]


def test_one_person_in_two_spellings(
    job: Job, gallery: Gallery, album: Path, caplog: pytest.LogCaptureFixture
) -> None:
    decomposed = "Jose\u0301\u00a0 Garci\u0301a"
    shutil.move(album / "enroll" / "Ann", album / "enroll" / decomposed)
    shutil.rmtree(album / "enroll" / "Bob")
    for _ in range(2):
        job("enroll", f"photos={album / 'enroll'}")
    assert [(one.name, one.samples) for one in gallery.persons()] == [("José García", 2)]
    assert "looks like José" not in caplog.text
    assert gallery.show(decomposed)[0].samples == 2


def test_a_photo_of_somebody_else_under_an_old_name(
    job: Job, gallery: Gallery, album: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    job("enroll", f"photos={album / 'enroll' / 'Ann' / '1.png'}", "person=Ann")
    other = [f"photos={album / 'strangers'}", "person=Ann", "strict.min_sharpness=0"]
    with pytest.raises(GalleryError, match="nobody was enrolled"):
        job("enroll", *other, "review=strict")
    assert "x.png: does not look like the Ann you have (0." in capsys.readouterr().out
    assert gallery.size() == (1, 1)
    job("enroll", *other)
    assert "x.png of Ann does not look like the Ann you have (0." in caplog.text
    assert "x.png of Ann does not look like the Ann you have (0." in capsys.readouterr().out
    caplog.clear()
    job("enroll", *other)  # by now it does
    assert caplog.text.count("does not look like") == 0
    assert gallery.size() == (1, 2)


def test_names_and_paths_are_shown_as_they_are(
    job: Job, gallery: Gallery, album: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    names = ["Ann [/b]", "[glob]*?"]
    for number, name in enumerate(names, 1):
        job("enroll", f"photos={album / 'enroll' / 'Ann' / f'{number}.png'}", f"person='{name}'")
    exact = os.fsencode(album / "enroll" / "Ann") + b"/\x1b[31m\xff.png"
    shutil.move(album / "enroll" / "Ann" / "1.png", os.fsdecode(exact))
    capsysbinary.readouterr()
    job("identify", f"photos={album / 'enroll'}")
    said = capsysbinary.readouterr()
    lines = [json.loads(line.decode()) for line in said.out.splitlines()]
    found = {
        base64.b64decode(line["photo_bytes"]) if "photo_bytes" in line else line["photo"]: line for line in lines
    }
    assert found[exact]["person"] == "Ann [/b]"
    assert found[exact]["photo"] == exact.decode(errors="replace")
    assert sum("photo_bytes" in line for line in lines) == 1
    assert found[str(album / "enroll" / "Ann" / "2.png")]["person"] == "[glob]*?"
    table = said.err.decode()
    for name in names:
        assert name in table
        job("gallery", "action=show", f"name='{name}'")
        job("gallery", "action=rename", f"name='{name}'", "note='[/i] \\x1b]0;'")
    assert "\x1b" not in table
    job("gallery", "action=list")
    shown = capsysbinary.readouterr().out.decode()
    assert all(word in shown for word in (*names, "[/i]"))


def test_only_enrolling_serving_and_importing_make_a_gallery(
    run: Run,
    album: Path,
    folder: Path,
    model_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def on_folder(job: str, *overrides: str) -> None:
        run.raising(job, f"gallery.url={folder}", *overrides)

    model_too, photos = f"model={model_folder}", f"photos={album / 'enroll' / 'Ann'}"
    file = tmp_path / "all.jsonl"
    file.touch()
    refused: list[tuple[str, list[str]]] = [
        ("identify", [photos, model_too, "detector=none"]),
        ("gallery", ["action=list", model_too]),
        *(("gallery", [f"action={action}", "name=Ann", "to=Bob", f"file={file}"]) for action in ("show", "export")),
        ("gallery", ["action=rebuild", model_too]),
        ("gallery", ["action=import", f"file={file}"]),
    ]
    for job, given in refused:
        with pytest.raises(GalleryError, match=rf"{folder}: there is no gallery; .*facerec\.enroll photos=ALBUM"):
            on_folder(job, *given)
        assert not folder.exists()
    with pytest.raises(ConfigError, match="file: there is no file"):
        on_folder("gallery", "action=import", "file=none.jsonl", model_too)
    assert not folder.exists()
    with caplog.at_level(logging.INFO):
        on_folder("enroll", photos, "person=Ann", model_too, "detector=none")
    assert caplog.text.count(f"{folder}: made a new gallery, of model") == 1
    on_folder("gallery", "action=export", f"file={file}")
    shutil.rmtree(folder)
    with caplog.at_level(logging.INFO):
        on_folder("gallery", "action=import", f"file={file}", model_too)
    assert caplog.text.count(f"{folder}: made a new gallery, of model") == 2
    on_folder("identify", photos, model_too, "detector=none")
    assert '"person": "Ann"' in capsys.readouterr().out


def test_an_interrupted_enrolment_says_what_is_done(
    job: Job, gallery: Gallery, album: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    enrol = Gallery.enroll

    def interrupted(self: Gallery, who: str, samples: list[Sample], *, new: bool) -> Enrolled:
        if who == "Bob":
            raise KeyboardInterrupt
        return enrol(self, who, samples, new=new)

    monkeypatch.setattr(Gallery, "enroll", interrupted)
    with pytest.raises(KeyboardInterrupt):
        job("enroll", f"photos={album / 'enroll'}")
    said = capsys.readouterr().out
    assert "2 of 4 photos, 0 refused; stopped; start it again to go on" in said
    assert gallery.show("Ann")[0].samples == 2


def test_an_interrupt_says_what_is_enrolled(
    model_folder: Path, child_environment: dict[str, str], tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "album" / "Ann").mkdir(parents=True)
    for number in range(300):
        picture = random.integers(0, 256, (120, 120, 3), dtype=np.uint8)
        (tmp_path / "album" / "Ann" / f"{number:03d}.png").write_bytes(encode_png(picture))
    folder = short_folder()
    command = [sys.executable, "-m", "facerec.enroll", f"photos={tmp_path}/album", f"model={model_folder}"]
    command += ["detector=none", f"gallery.url={folder}/g"]
    job = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=child_environment,
        cwd=tmp_path,
        start_new_session=True,
    )
    assert job.stdout
    said = b""
    while not re.search(rb" [1-9][0-9]*/300", said):
        more = os.read(job.stdout.fileno(), 4096)
        assert more, said.decode()
        said += more
    os.killpg(job.pid, signal.SIGINT)  # as a terminal does
    said += job.stdout.read()
    assert job.wait() == 130, said.decode()
    assert b"Traceback" not in said
    found = re.search(rb"interrupted; (\d+) of 300 photos are enrolled; the same command goes on", said)
    assert found, said.decode()
    with Gallery.open(folder / "g", model_folder) as gallery:
        assert gallery.size().samples in (int(found[1]), int(found[1]) + 1)  # it may come between two lines
    shutil.rmtree(folder)
