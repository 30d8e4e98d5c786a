"""A wheel is found in the index that the user has set, as HTML and as JSON."""

import base64
import json
from pathlib import Path

import pytest

from facerec.errors import ModelError
from facerec.models.catalogue import Source, fetch
from facerec.models.catalogue.index_settings import PUBLIC_INDEX, indexes
from tests.models.catalogue.file_server import FileServer
from tests.models.catalogue.test_fetch import CONTENT, archive, entry_of, left_over

WHEEL = "tiny_faces-1.0-py3-none-any.whl"
ENTRY = entry_of(Source(wheel=WHEEL, member="tiny_faces/net.onnx"))
HTML = f"""<!DOCTYPE html><html><body><a href="../../files/tiny_faces-0.9-py3-none-any.whl">old</a>
<a href="../../files/{WHEEL}#sha256=00" data-requires-python="&gt;=3.8">{WHEEL}</a></body></html>"""
JSON = {"meta": {"api-version": "1.0"}, "files": [{"filename": WHEEL, "url": f"../../files/{WHEEL}", "hashes": {}}]}


@pytest.fixture
def index(server: FileServer) -> str:
    server.files["/simple/tiny-faces/"] = HTML.encode()
    server.types["/simple/tiny-faces/"] = "text/html"
    server.files[f"/files/{WHEEL}"] = archive("tiny_faces/net.onnx", CONTENT)
    return f"{server.url}/simple"


@pytest.mark.parametrize("form", ["html", "json"])
def test_one_file_of_a_wheel_is_kept_and_nothing_else(
    form: str, index: str, server: FileServer, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "json":
        server.files["/simple/tiny-faces/"] = json.dumps(JSON).encode()
        server.types["/simple/tiny-faces/"] = "application/vnd.pypi.simple.v1+json"
    monkeypatch.setenv("PIP_INDEX_URL", f"{index}/")
    assert fetch(ENTRY).read_bytes() == CONTENT
    assert left_over(machine) == ["tiny.onnx"]
    assert [path for path, _ in server.visits] == ["/simple/tiny-faces/", f"/files/{WHEEL}"]


def test_credentials_of_the_address_and_of_netrc(
    index: str, server: FileServer, machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.auth = f"Basic {base64.b64encode(b'ann:secret').decode()}"
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)
    with pytest.raises(ModelError, match="answers 401"):
        fetch(ENTRY)
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.replace("//", "//ann:wrong@"))
    with pytest.raises(ModelError, match="answers 401") as refused:
        fetch(ENTRY)
    assert "wrong" not in str(refused.value)
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.replace("//", "//ann:secret@"))
    assert fetch(ENTRY).read_bytes() == CONTENT
    (machine / "models" / "tiny.onnx").unlink()
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)
    (tmp_path / "home" / ".netrc").write_text("machine 127.0.0.1 login ann password secret\n")
    (tmp_path / "home" / ".netrc").chmod(0o600)
    assert fetch(ENTRY).read_bytes() == CONTENT


def test_a_token_may_stand_alone(index: str, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.auth = f"Basic {base64.b64encode(b'token:').decode()}"
    monkeypatch.setenv("PIP_INDEX_URL", index.replace("//", "//token@"))
    assert fetch(ENTRY).read_bytes() == CONTENT


def test_an_address_that_is_none_is_one_reason(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://[bad/simple")
    with pytest.raises(ModelError, match="an address of an index that is set for pip or uv can't be read"):
        fetch(ENTRY)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index)
    assert fetch(ENTRY).read_bytes() == CONTENT


def test_no_index_means_none(index: str, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ModelError, match="pip or uv is set to use no index"):
        fetch(ENTRY)
    assert server.visits == []


def test_each_index_says_why_it_does_not_give_it(
    index: str, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/empty/tiny-faces/"] = b"<html></html>"
    server.types["/broken/tiny-faces/"] = "application/json"
    server.files["/broken/tiny-faces/"] = b'{"files": 3}'
    extra = f"{server.url}/empty {server.url}/broken file:///simple"
    monkeypatch.setenv("UV_INDEX_URL", f"{server.url}/nowhere")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", extra)
    with pytest.raises(ModelError) as refused:
        fetch(ENTRY)
    reasons = str(refused.value).splitlines()[1:-1]
    assert "/nowhere answers 404 for tiny-faces" in reasons[0]
    assert f"/empty has no {WHEEL}" in reasons[1]
    assert "/broken can't be read" in reasons[2]
    assert "file:///simple is not an index on the web" in reasons[3]
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{extra} {index}")
    assert fetch(ENTRY).read_bytes() == CONTENT


def test_the_public_index_is_asked_only_if_nothing_replaces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert indexes() == [PUBLIC_INDEX]
    monkeypatch.setenv("UV_INDEX", "mine=https://a.example/simple https://b.example/simple/")
    assert indexes() == ["https://a.example/simple", "https://b.example/simple", PUBLIC_INDEX]
    monkeypatch.setenv("PIP_INDEX_URL", "https://c.example")
    assert indexes() == ["https://c.example", "https://a.example/simple", "https://b.example/simple"]


def test_files_of_pip_and_uv_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    for file, text in {
        "etc/pip.conf": "[global]\nindex-url = https://system.example\nextra-index-url = https://more.example\n",
        ".config/pip/pip.conf": "[global]\nindex-url = https://user.example\n",
    }.items():
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text(text)
    assert indexes() == ["https://user.example", "https://more.example"]
    uv = home / ".config" / "uv" / "uv.toml"
    uv.parent.mkdir()
    uv.write_text('[[index]]\nurl = "https://uv.example"\ndefault = true\n[[index]]\nurl = "https://b.example"\n')
    assert indexes()[0] == "https://uv.example"
    assert set(indexes()[1:]) == {"https://user.example", "https://b.example", "https://more.example"}
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    uv.write_text("no TOML = = ")
    assert indexes() == [PUBLIC_INDEX]
