import resource
import subprocess
import sys
from pathlib import Path

import pytest

from facerec.runtime.files import replace_file

# saving whole folders is tested in tests/models/test_store.py


def test_a_file_is_replaced_and_nothing_stays_beside(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    for content in (b"old", b"newer", b""):
        replace_file(path, content)
        assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.rglob("*")] == ["folder", "file"]


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    replace_file(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*/folder/\.file\."):
            replace_file(path, bytes(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.rglob("*")] == ["folder", "file"]


KILLED = """
import itertools, os, signal, sys
from pathlib import Path
from facerec.runtime.files import replace_file

def stop(event, args):
    if event in ("open", "os.rename", "os.remove") and "folder" in str(args[0]) and next(steps) == number:
        os.kill(os.getpid(), signal.SIGKILL)

for number in itertools.count():
    path = Path(sys.argv[1], f"{number}", "folder", "file")
    path.parent.mkdir(parents=True)
    replace_file(path, b"old")
    steps, child = itertools.count(), os.fork()
    if not child:
        sys.addaudithook(stop)
        replace_file(path, b"new")
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""


def test_a_write_killed_at_any_step_leaves_one_whole_file(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=True)
    runs = sorted(tmp_path.iterdir(), key=lambda run: int(run.name))
    found = [(run / "folder" / "file").read_bytes() for run in runs]
    moved = found.index(b"new")
    assert moved > 1  # stopped before the move at least twice
    assert found == [b"old"] * moved + [b"new"] * (len(found) - moved)
    left = {entry.name for run in runs for entry in (run / "folder").glob("[!.]*")}
    assert left == {"file"}
