"""Check, backup and restore as a user runs them, on real faces."""

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from facerec.data import orl
from facerec.gallery import Gallery
from tests.conftest import Run
from tests.web import fisherfaces

FOLDERS = {  # person → ORL people and photos; the model was trained on others
    "Ann": [(31, 1), (31, 2), (31, 3), (31, 4)],
    "Ann again": [(31, 5), (31, 6), (31, 7), (31, 8)],
    "Bob": [(32, 1), (32, 2), (32, 3), (33, 9)],
    "Cy": [(33, 1), (33, 2), (33, 3), (33, 4)],
    "Dee <b>": [(34, 1)],
}


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fisherfaces.make(tmp_path_factory.mktemp("model"), people=30)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    files = {(int(file.parent.name[1:]), int(file.stem)): file for file in orl().files}
    for name, photos in FOLDERS.items():
        (tmp_path / "album" / name).mkdir(parents=True)
        for person, photo in photos:
            fisherfaces.doubled(files[person, photo]).save(tmp_path / "album" / name / f"s{person}-{photo}.png")
    with Image.open(tmp_path / "album" / "Cy" / "s33-1.png") as photo_again:
        photo_again.convert("RGB").save(tmp_path / "album" / "Cy" / "s33-1-sent.jpg", quality=80)
    return tmp_path / "album"


def test_checked_backed_up_and_restored(
    run: Run, album: Path, contract: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(job: str, *given: str) -> str:
        assert run(job, f"gallery.url={folder}", *given) == 0, capsys.readouterr()
        return capsys.readouterr().out

    model, page = f"model={contract}", tmp_path / "out" / "check.html"
    said("enroll", f"photos={album}", model, "keep_crops=true")
    with Gallery.open(folder) as gallery:
        crops = {sample.source: sample.crop[:8] for name in FOLDERS for sample in gallery.show(name)[1]}
    table = said("gallery", "action=check", model, "threshold=0.8", f"out={page.parent}")
    assert "5 persons, 18 samples\n" in table
    assert "17 searches for 4 persons), each sample left out once" in table  # all but Dee's
    assert "Samples nearer to somebody else: 1" in table
    assert f"facerec gallery move sample={crops['s33-9.png']}" in table
    shown = page.read_text(encoding="utf-8")
    for words in (
        "Ann and Ann again: 100% and 75% of their samples reach the other, the nearest two at 0.97",
        f"{crops['s33-9.png']} (s33-9.png) of Bob is nearer to Cy: 0.",
        f"{crops['s33-1.png']} (s33-1.png) of Cy are hardly different: 1.00",
        "Dee &lt;b&gt; has 1 sample, 1 of them good",
        "<code>facerec gallery merge name=&#39;Ann again&#39; to=Ann</code>",
        f"<code>facerec gallery move sample={crops['s33-9.png']} to=Cy</code>",
    ):
        assert words in shown
    assert "<b>" not in shown
    assert shown.count('src="data:image/png;base64,iVBOR') == shown.count("<img ")
    assert not re.search(r"(src|href)=\"(?!data:|#)", shown)

    file, new = tmp_path / "b", folder.parent / "new"
    assert "5 persons and 18 samples were backed up to" in said("gallery", "action=backup", f"file={file}")
    before = said("identify", f"photos={album}", model, "threshold=0.8")
    assert run("gallery", "action=restore", f"file={file}", f"gallery.url={folder}") == 1
    assert "holds a gallery already; give a new folder or an empty database" in capsys.readouterr().err
    shutil.rmtree(folder)
    folder = new
    assert f"5 persons and 18 samples were restored in {new}" in said("gallery", "action=restore", f"file={file}")
    assert said("identify", f"photos={album}", model, "threshold=0.8") == before
    assert {json.loads(line)["person"] for line in before.splitlines()} >= {"Bob", "Cy", "Dee <b>"}


def test_weak_photos_are_warned_of_and_refused_when_strict(
    run: Run, contract: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [source] = [file for file in orl().files if file.match("s35/1.pgm")]
    good = fisherfaces.doubled(source)
    small = Image.new("L", good.size, 128)
    small.paste(good.resize((36, 44)), (74, 90))
    weak = {
        "small": small,
        "blurred": good.filter(ImageFilter.GaussianBlur(5)),
        "dark": good.point(lambda grey: 0.3 * grey),
    }
    (tmp_path / "album" / "Eve").mkdir(parents=True)
    for name, photo in {"good": good, **weak}.items():
        photo.save(tmp_path / "album" / "Eve" / f"{name}.png")
    given = [f"gallery.url={folder}", f"photos={tmp_path / 'album'}", f"model={contract}", "threshold=-1"]
    assert run("enroll", *given) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    for name in weak:
        assert any(f"{name}.png of Eve is weak: " in line and f"{name} (" in line for line in lines), lines
    assert not any("good.png" in line for line in lines)
    assert run("enroll", *given, "review=strict", f"gallery.url={folder.parent / 'strict'}") == 3
    said = capsys.readouterr().out
    assert "4 photos, 3 refused; 1 persons, 1 samples now" in said
    assert all(re.search(rf"refused .*{name}\.png: .*{name} \(", said) for name in weak)
