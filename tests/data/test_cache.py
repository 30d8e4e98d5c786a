import json
import multiprocessing
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facerec.crops import read_photo
from facerec.crops.crop_file import crop_file
from facerec.data import FaceImages, celeba, folder, open_crops, orl
from facerec.data import cache as cache_module
from facerec.data.live_crops import decoded
from facerec.errors import DataError

MakeCeleba = Callable[..., Path]


def _left_behind(cache: Path) -> list[str]:
    return [file.name for file in cache.iterdir() if file.suffix not in (".npy", ".lock", ".txt")]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_crops_are_those_of_the_files(make_celeba: MakeCeleba, tmp_path: Path, num_workers: int) -> None:
    images = celeba(str(make_celeba()), val_share=0.4)
    assert images.landmarks is not None
    crops = open_crops(images, tmp_path / "cache", num_workers)
    assert crops.shape == (40, 3, 112, 112)
    assert crops.dtype == np.uint8
    assert not crops.flags.writeable
    for row in (0, 7, 39):
        np.testing.assert_array_equal(crops[row], crop_file(images.files[row], images.landmarks[row]))
    assert _left_behind(tmp_path / "cache") == []


def test_made_once_and_made_anew_when_a_file_changes(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    images, cache = celeba(str(make_celeba()), val_share=0.4), tmp_path / "cache"
    first = Path(str(open_crops(images, cache, 0).filename))
    written = first.stat().st_mtime_ns
    assert Path(str(open_crops(images, cache, 0).filename)) == first
    assert first.stat().st_mtime_ns == written
    os.utime(images.files[3], (1, 1))  # copied, say
    assert Path(str(open_crops(images, cache, 0).filename)) == first
    images.files[3].write_bytes(images.files[4].read_bytes())
    assert Path(str(open_crops(images, cache, 0).filename)) != first


def _open(images: FaceImages, cache: Path, results: "multiprocessing.Queue[int]") -> None:
    results.put(int(open_crops(images, cache, 0).astype(np.int64).sum()))


@pytest.mark.slow
def test_two_runs_at_a_time_share_one_cache(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    images, cache = celeba(str(make_celeba()), val_share=0.4), tmp_path / "cache"
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    runs = [context.Process(target=_open, args=(images, cache, results)) for _ in range(2)]
    for run in runs:
        run.start()
    sums = [results.get(timeout=120) for _ in runs]
    for run in runs:
        run.join()
    assert sums[0] == sums[1] > 0
    assert len(list(cache.glob("*.npy"))) == 1


def test_damaged_and_missing_files_are_named_and_counted(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    images, cache = celeba(str(make_celeba()), val_share=0.4), tmp_path / "cache"
    images.files[2].write_bytes(images.files[2].read_bytes()[:100])
    images.files[5].write_text("not an image")
    images.files[6].write_bytes(b"")
    with pytest.raises(DataError, match="3 files can not be decoded") as error:
        open_crops(images, cache, 0)
    assert all(images.files[row].name in str(error.value) for row in (2, 5, 6))
    assert sorted(file.suffix for file in cache.iterdir()) == [".lock", ".txt"]
    images.files[9].unlink()
    with pytest.raises(DataError, match=r"1 files are missing:\n .*000010\.jpg"):
        open_crops(images, cache, 0)


def _limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    # a limit on the size of files is refused by the same system call as a full disk
    program = f"""
from pathlib import Path
from facerec.data import orl, open_crops
from facerec.errors import DataError
from facerec.crops import read_photo
try:
    open_crops(orl(), Path({str(tmp_path)!r}), 0)
except DataError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        preexec_fn=_limit_file_size,
        check=True,
    )
    assert "0.02 GB of crops failed" in done.stdout
    assert "data.cache_dir" in done.stdout
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".lock", ".txt"]


def test_orl_is_whole_and_upright() -> None:
    images = orl()
    assert len(images.files) == 400
    crop = crop_file(images.files[0], None)
    assert crop.shape == (3, 112, 112)
    assert np.array_equal(crop[0], crop[2])  # grey


def test_the_centre_square_is_what_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, 20:80] = (255, 128, 0)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    crop = crop_file(tmp_path / "wide.png", None)
    assert crop.mean(axis=(1, 2)).tolist() == [255, 128, 0]


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.jpg", mode) for mode in ("RGB", "L", "CMYK")]
    + [("a.png", mode) for mode in ("RGBA", "P")]
    + [(f"a.{suffix}", "RGB") for suffix in ("webp", "gif", "bmp", "pgm", "tif")],
)
def test_formats_decode_to_rgb_bytes(tmp_path: Path, name: str, mode: str) -> None:
    Image.new("RGB", (40, 30), (200, 60, 60)).convert(mode).save(tmp_path / name)
    image = read_photo(tmp_path / name)
    assert image.dtype == np.uint8
    assert image.shape == (30, 40, 3)
    expected = Image.new("RGB", (1, 1), (200, 60, 60)).convert(mode).convert("RGB").getpixel((0, 0))
    assert np.abs(image.mean(axis=(0, 1)) - expected).max() <= 12


def test_photos_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90°
    Image.new("RGB", (40, 30)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_photo(tmp_path / "turned.jpg").shape == (40, 30, 3)


def test_folder_of_people(tmp_path: Path) -> None:
    for person in range(8):
        (tmp_path / f"person {person}").mkdir()
        for number in range(5):
            Image.new("RGB", (50, 50), (person * 30, number * 40, 0)).save(
                tmp_path / f"person {person}" / f"{number}.{('jpg', 'PNG', 'jpeg', 'webp', 'bmp')[number]}"
            )
        (tmp_path / f"person {person}" / "notes.txt").write_text("not an image")
    images = folder(str(tmp_path))
    assert len(images.files) == 40
    assert {split: len(set(images.identities[images.rows(split)])) for split in ("train", "val", "test")} == {
        "train": 5,
        "val": 2,
        "test": 1,
    }
    with pytest.raises(DataError, match=r"dataset\.root: there is no folder"):
        folder(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"dataset\.root: no images"):
        folder(str(tmp_path / "person 0"))


def _decode(folder: Path) -> tuple[int, ...]:
    return open_crops(orl(), folder, 2).shape


@pytest.mark.slow
def test_joblibs_workers_decode_with_processes_of_their_own(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    assert joblib.Parallel(2)(joblib.delayed(_decode)(tmp_path) for _ in range(2)) == [(400, 3, 112, 112)] * 2


def _stop_in_the_middle(images: FaceImages, cache: Path) -> None:
    """As if the process had been killed: after the third batch, of which two are on the disk for sure."""
    program = f"""
import os
from pathlib import Path
from facerec.data import cache, folder
cache._FLUSHED = 2
whole, count = cache.decoded, 0
def decoded(images, row):
    global count
    count += 1
    if count > 3 * 64:
        os._exit(9)
    return whole(images, row)
cache.decoded = decoded
cache.open_crops(folder({str(images.files[0].parent.parent)!r}), Path({str(cache)!r}), 0)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True])
def test_decoding_that_was_stopped_goes_on(tmp_path: Path, damaged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(256):
        file = tmp_path / "people" / str(number // 8) / f"{number:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(file)
    images = folder(str(tmp_path / "people"))
    if damaged:
        images.files[3].write_text("not an image")
    _stop_in_the_middle(images, tmp_path / "cache")
    [progress] = (tmp_path / "cache").glob("*.json")
    assert json.loads(progress.read_text())["images"] == 128
    rows = []
    monkeypatch.setattr(cache_module, "decoded", lambda images, row: rows.append(row) or decoded(images, row))  # type: ignore[func-returns-value]
    if damaged:
        with pytest.raises(DataError, match=r"1 files can not be decoded:\n .*003\.png"):
            open_crops(images, tmp_path / "cache", 0)
        assert _left_behind(tmp_path / "cache") == []
        return
    crops = open_crops(images, tmp_path / "cache", 0)
    assert rows == list(range(128, 256))
    reds = [int(file.stem) for file in images.files]
    np.testing.assert_array_equal(crops[:, 0, 50, 50], reds)
    assert _left_behind(tmp_path / "cache") == []


def test_a_disk_without_room_is_told_before_anything_is_decoded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the crops take .* GB, and .* GB are free; .* data\.cache=false"):
        cache_module._check_room(tmp_path, 2**60)


@pytest.mark.slow
def test_the_progress_of_another_run_is_not_believed(tmp_path: Path) -> None:
    for number in range(256):
        file = tmp_path / "people" / str(number // 8) / f"{number:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(file)
    images, cache = folder(str(tmp_path / "people")), tmp_path / "cache"
    _stop_in_the_middle(images, cache)
    [progress] = cache.glob("*.json")
    [part] = cache.glob("*.part")
    part.write_bytes(part.read_bytes()[:5000])  # a run of an older version began anew, and was stopped
    crops = open_crops(images, cache, 0)
    np.testing.assert_array_equal(crops[:, 0, 50, 50], [int(file.stem) for file in images.files])
    assert not progress.exists()
