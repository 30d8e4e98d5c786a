"""Weights come into the cache from a real server, whatever happens on the way."""

import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import time
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from facerec.errors import ModelError
from facerec.models.catalogue import Entry, Source, fetch, take, weights_file
from tests.models.catalogue.file_server import FileServer, serving

CONTENT = bytes(range(256)) * 2000
CUT = 3 * 2**16  # bytes, whole pieces of a download


def entry_of(*sources: Source, content: bytes = CONTENT, **others: object) -> Entry:
    known = Entry(
        name="tiny",
        description="for tests",
        licence="MIT",
        licence_url="https://example.org/licence",
        trained_by="nobody",
        trained_on="nothing",
        architecture="none",
        embedding_dim=4,
        colour="RGB",
        mean=0,
        std=1,
        sha256=hashlib.sha256(content).hexdigest(),
        sha256_url="https://example.org",
        sources=sources,
        size=len(content),
    )
    return replace(known, **others)  # type: ignore[arg-type]


@pytest.fixture
def entry(server: FileServer) -> Entry:
    server.files["/tiny.onnx"] = CONTENT
    return entry_of(Source(url=f"{server.url}/tiny.onnx"))


def left_over(cache: Path) -> list[str]:
    return sorted(file.name for file in (cache / "models").iterdir() if not file.name.endswith(".lock"))


def test_it_is_fetched_once_and_kept_whole(entry: Entry, server: FileServer, machine: Path) -> None:
    for _ in range(2):
        file = fetch(entry)
        assert file == machine / "models" / "tiny.onnx"
        assert file.read_bytes() == CONTENT
    assert server.visits == [("/tiny.onnx", None)]
    assert left_over(machine) == ["tiny.onnx"]


def test_a_cut_download_goes_on_where_it_stopped(entry: Entry, server: FileServer, machine: Path) -> None:
    server.cut_after = CUT
    assert fetch(entry).read_bytes() == CONTENT
    assert [visit[1] for visit in server.visits] == [None, f"bytes={CUT}-", f"bytes={2 * CUT}-"]
    assert left_over(machine) == ["tiny.onnx"]


def test_a_server_that_always_begins_anew_is_given_up(entry: Entry, server: FileServer, machine: Path) -> None:
    server.cut_after, server.ranges = CUT, False
    with pytest.raises(ModelError, match="cut again and again; the same command goes on"):
        fetch(entry)
    assert 2 <= len(server.visits) <= 5
    server.cut_after, server.ranges = None, True
    server.visits.clear()
    assert fetch(entry).read_bytes() == CONTENT
    assert server.visits == [("/tiny.onnx", f"bytes={CUT}-")]


def test_a_half_that_misses_nothing_is_taken(entry: Entry, server: FileServer, machine: Path) -> None:
    name = hashlib.sha256(f"{server.url}/tiny.onnx".encode()).hexdigest()[:8]
    half = machine / "models" / f".tiny.onnx.{name}.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(CONTENT)
    assert fetch(entry).read_bytes() == CONTENT
    half.write_bytes(CONTENT + b"more than there is")
    weights_file(entry).unlink()
    assert fetch(entry).read_bytes() == CONTENT


def test_the_next_source_is_tried_and_each_reason_is_given(server: FileServer, machine: Path) -> None:
    server.files |= {"/other": CONTENT[:-1] + b"x", "/right": CONTENT}
    with serving({}) as gone:
        nowhere = f"{gone.url}/tiny.onnx"
    wrong = [Source(url=nowhere), Source(url=f"{server.url}/missing"), Source(url=f"{server.url}/other")]
    assert fetch(entry_of(*wrong, Source(url=f"{server.url}/right"))).read_bytes() == CONTENT
    (machine / "models" / "tiny.onnx").unlink()
    with pytest.raises(ModelError) as refused:
        fetch(entry_of(*wrong))
    first, *reasons, by_hand = str(refused.value).splitlines()
    assert first == "tiny: no source gives its weights"
    assert "can't be reached" in reasons[0]
    assert "404" in reasons[1]
    assert "another file" in reasons[2]
    assert "facerec models get tiny file=FILE" in by_hand
    assert left_over(machine) == []


def archive(member: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(member, content)
    return file.getvalue()


def test_a_file_is_taken_out_of_an_archive(server: FileServer, machine: Path) -> None:
    server.files["/pack.zip"] = archive("pack/net.onnx", CONTENT)
    server.files["/broken.zip"] = server.files["/pack.zip"][:-40]
    url = f"{server.url}/pack.zip"
    with pytest.raises(ModelError, match=r"has no net\.onnx in it"):
        fetch(entry_of(Source(url=url, member="net.onnx")))
    with pytest.raises(ModelError, match="not a whole archive"):
        fetch(entry_of(Source(url=f"{server.url}/broken.zip", member="pack/net.onnx")))
    assert fetch(entry_of(Source(url=url, member="pack/net.onnx"))).read_bytes() == CONTENT
    assert left_over(machine) == ["tiny.onnx"]


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_nothing_is_asked(
    how: str, entry: Entry, server: FileServer, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "environment":
        monkeypatch.setenv("FACEREC_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"not at .*tiny\.onnx, and it is offline; .*get tiny file=FILE"):
        fetch(entry, offline=how == "argument")
    assert server.visits == []
    (machine / "models").mkdir(parents=True)
    (machine / "models" / "tiny.onnx").write_bytes(CONTENT)  # by hand
    assert fetch(entry, offline=how == "argument").read_bytes() == CONTENT


def test_a_file_at_hand_is_taken_if_it_is_the_right_one(tmp_path: Path) -> None:
    entry = entry_of()
    given = tmp_path / "given"
    with pytest.raises(ModelError, match="there is no file"):
        take(entry, given)
    given.write_bytes(b"another")
    with pytest.raises(ModelError, match=f"should be {entry.sha256}"):
        take(entry, given)
    assert not weights_file(entry).exists()
    given.write_bytes(CONTENT)
    assert take(entry, given) == fetch(entry)


def test_a_damaged_file_is_fetched_again(
    entry: Entry, server: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    file = fetch(entry)
    file.write_bytes(CONTENT[:-1] + b"x")
    assert fetch(entry).read_bytes() == CONTENT
    assert "is not tiny, whose SHA-256 is" in caplog.text
    assert len(server.visits) == 2


def test_a_licence_must_be_accepted(entry: Entry, server: FileServer) -> None:
    bound = replace(entry, non_commercial=True, licence="CC-BY-NC-4.0")
    with pytest.raises(ModelError, match=r"NOT FOR COMMERCIAL USE.*CC-BY-NC-4\.0.*accept_licence=true"):
        fetch(bound)
    assert server.visits == []
    assert fetch(bound, accept_licence=True).read_bytes() == CONTENT
    assert fetch(bound).read_bytes() == CONTENT  # it was accepted when it was fetched


def test_no_room_on_the_disk(entry: Entry, machine: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(ModelError, match=r"\.tiny\.onnx.*FACEREC_CACHE names another place"):
            fetch(entry)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not weights_file(entry).exists()
    assert fetch(entry).read_bytes() == CONTENT  # what was written is gone on with


FETCH = """
import json, sys
from facerec.models.catalogue import Entry, Source, fetch
values = json.loads(sys.argv[1])
entry = Entry(**{**values, "sources": tuple(Source(**source) for source in values["sources"])})
print("about to fetch", flush=True)
fetch(entry)
"""


def test_of_two_processes_one_fetches(entry: Entry, server: FileServer) -> None:
    command = [sys.executable, "-c", FETCH, json.dumps(asdict(entry))]
    folder = {"PYTHONPATH": str(Path(__file__).parents[3])}
    server.open.clear()
    processes = [subprocess.Popen(command, env=os.environ | folder, stdout=subprocess.PIPE) for _ in range(2)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == b"about to fetch\n"
    time.sleep(1)  # without a lock both would have asked by now
    server.open.set()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]
    assert len(server.visits) == 1
    assert weights_file(entry).read_bytes() == CONTENT
