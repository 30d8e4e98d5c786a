"""The README's commands on a fresh clone print what the README shows."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BF16 = "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.server,
    pytest.mark.skipif("FACEREC_SLOW" not in os.environ, reason="takes minutes: make test-slow"),
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("newcomer") / "facerec"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


def make(target: str, clone: Path) -> list[str]:
    """The lines that `make TARGET` prints in the clone, as a user without any settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FACEREC_", "OMP_"))}
    environment |= {"XDG_CACHE_HOME": str(clone.parent / "cache"), "COLUMNS": "160"}
    with (clone.parent / target).open("w+", encoding="utf-8") as output:  # both streams, as on a terminal
        done = subprocess.run(
            ["make", target], cwd=clone, env=environment, stdout=output, stderr=output, check=False
        )
        output.seek(0)
        printed = output.read()
    assert done.returncode == 0, printed[-5000:]
    return [line.rstrip() for line in printed.splitlines()]


def shown(first: str) -> list[str]:
    """The lines of the README's block that begins with this line."""
    block = README[README.index(f"    {first}\n") :].split("\n\n", 1)[0]
    return [line.removeprefix("    ") for line in block.splitlines()]


def test_the_study_ends_as_it_is_shown(clone: Path) -> None:
    printed = make("study", clone)
    expected = [
        line for line in shown("10 people of orl (test), never seen in training") if "…/" not in line
    ]  # a path of that machine
    table = printed[printed.index(expected[0]) :]
    if BF16:
        assert set(expected) <= set(table)
    else:  # other arithmetic gives other members
        assert [line.split()[:2] for line in expected] == [line.split()[:2] for line in table[: len(expected)]]
    assert (clone / "outputs/orl/evaluation/report.html").is_file()


def test_the_album_is_named_as_it_is_shown(clone: Path) -> None:
    printed = make("album", clone)
    expected = [line for line in shown("Enrolled in outputs/album/orl/gallery") if line != "…"]
    assert len(expected) > 10
    assert set(expected[1:]) <= set(printed)
