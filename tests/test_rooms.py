"""Where modules lie and what they may import; the contracts are in pyproject.toml."""

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import facerec
from facerec.job import CONFIG_DIR

PACKAGE = Path(facerec.__file__).parent
BESIDE_JOBS = {"__init__", "_version", "cli", "errors", "job"}


def test_imports_keep_the_contracts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(PACKAGE.parent)
    monkeypatch.syspath_prepend(str(PACKAGE.parent))  # import-linter adds it, and leaves it there
    assert lint_imports(no_cache=True, no_logo=True) == 0, capsys.readouterr().out


def test_nothing_but_jobs_lies_loose() -> None:
    jobs = {file.stem for file in CONFIG_DIR.glob("*.yaml")}
    loose = {file.stem for file in PACKAGE.glob("*.py")}
    assert loose <= jobs | BESIDE_JOBS
    assert all((PACKAGE / job / "__main__.py").is_file() for job in jobs - loose)


def test_tests_mirror_the_rooms() -> None:
    rooms = {file.parent.name for file in PACKAGE.glob("*/__init__.py")} - BESIDE_JOBS
    tested = {file.parent.name for file in Path(__file__).parent.glob("*/test_*.py")}
    assert tested <= rooms
    assert rooms - tested <= {"preparation"}  # test_prepare.py runs all of it
