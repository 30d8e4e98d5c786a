"""Where modules lie and what they may import; the contracts are in pyproject.toml."""

import subprocess
import sys
from pathlib import Path

import facerec
from facerec.job import CONFIG_DIR

PACKAGE = Path(facerec.__file__).parent
BESIDE_JOBS = {"__init__", "_version", "cli", "errors", "job"}


def test_imports_keep_the_contracts() -> None:
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", lint, "--no-cache"]  # in its own process: it turns the loggers of others off
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stdout


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
