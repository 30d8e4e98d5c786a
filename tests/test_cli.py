import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import facerec
from facerec.job import CONFIG_DIR

WITHOUT_CONFIGURATION = {"keys"}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "facerec.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_job_is_listed_with_what_it_does_and_runs(tmp_path: Path) -> None:
    listed = _run()
    assert listed.returncode == 0
    jobs = {line.split()[0]: line for line in listed.stdout.splitlines() if line.startswith("  ")}
    assert jobs.keys() == {file.stem for file in CONFIG_DIR.glob("*.yaml")} | WITHOUT_CONFIGURATION
    assert all(len(line.split()) > 3 for line in jobs.values())
    assert [*jobs][:2] == ["enroll", "identify"]  # what a practitioner does first
    help = _run("gallery", "--help")
    assert help.returncode == 0, help.stderr
    assert "Look after a gallery" in help.stdout
    made = _run("keys", str(tmp_path / "keys.txt"), "ann", "admin")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "keys.txt").read_text().startswith("ann admin ")


def test_the_list_needs_no_package() -> None:
    """What is imported takes time, and a shell's user waits for it."""
    code = (
        "import sys; sys.argv[1:] = []; from facerec.cli import main; main(); print(*sys.modules, file=sys.stderr)"
    )
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(listed.stderr.split())
    assert "facerec.cli" in loaded
    assert not loaded & {"hydra", "omegaconf", "numpy", "torch", "rich", "facerec.job"}


def test_an_unknown_job_is_refused_with_the_nearest() -> None:
    refused = _run("enrol")
    assert refused.returncode == 1
    assert "there is no job enrol; do you mean enroll?\n" in refused.stderr
    refused = _run("xyz")
    assert "there is no job xyz\n" in refused.stderr
    assert "identify" in refused.stderr


def test_the_version() -> None:
    assert _run("--version").stdout == f"facerec {facerec.__version__}\n"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command `facerec` of this checkout, as an installation puts it on the PATH."""
    script = tmp_path / "facerec"
    script.write_text(f"#!{sys.executable}\nfrom facerec.cli import main\nmain()\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(facerec.__file__).parents[1]))


COMPLETIONS = [
    ("facerec en", ["enroll"]),
    ("facerec identify detector=no", ["detector=none"]),
    ("facerec train loss=a", ["loss=adaface", "loss=arcface"]),
    ("facerec keys no-such-f", []),  # else bash lists files
]

# what bash and zsh do when Tab is pressed, without a terminal
PRESS = """
press() {
    COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
    read -ra COMP_WORDS <<< "$1"
    [[ $1 == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    "$(complete -p facerec | sed 's/.* -F \\([^ ]*\\) .*/\\1/')" facerec
    printf '%s\\n' "${COMPREPLY[@]}"
}
"""


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize(("line", "completed"), COMPLETIONS)
def test_bash_completes_jobs_and_keys(line: str, completed: list[str]) -> None:
    script = f'eval "$(facerec -sc install=bash)"\n{PRESS}\npress "{line}"'
    asked = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert asked.stdout.split() == completed, asked.stderr


@pytest.mark.usefixtures("command")
@pytest.mark.skipif(not shutil.which("fish"), reason="no fish on the PATH: apt-get install fish")
@pytest.mark.parametrize(("line", "completed"), COMPLETIONS)
def test_fish_completes_jobs_and_keys(line: str, completed: list[str]) -> None:
    script = f'facerec -sc install=fish | source; complete -C "{line}"'
    asked = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=False)
    assert asked.stdout.split() == completed, asked.stderr
