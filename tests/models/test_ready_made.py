"""A ready-made model opens by its name wherever a model is opened."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import yaml

from facerec.errors import ConfigError, GalleryError, ModelError
from facerec.gallery import Gallery
from facerec.models import Statistics, Threshold, open_model
from facerec.models.catalogue import fetch, find_entry, is_name, name_of, names, weights_file
from facerec.models.catalogue.index_settings import indexes
from facerec.models.catalogue.package_index import find_wheel
from facerec.runtime.folders import data_folder
from facerec.study.members import find_members
from tests.conftest import Run
from tests.gallery.conftest import short_folder
from tests.models.catalogue.file_server import FileServer, serving
from tests.models.test_onnx_model import DIM, TERMS, matrix, write_network

ENTRIES = files("facerec.models.catalogue") / "entries"


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FileServer]]:
    """Puts one small model into an empty catalogue, and returns the server of its weights."""
    folder = tmp_path / "entries"
    folder.mkdir()
    monkeypatch.setattr("facerec.models.catalogue.entry._FOLDER", folder)
    monkeypatch.setenv("FACEREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("FACEREC_OFFLINE", raising=False)
    find_entry.cache_clear()
    with serving({}) as server:

        def put(name: str = "tiny", **others: object) -> FileServer:
            write_network(tmp_path / "net.onnx", matrix())
            content = (tmp_path / "net.onnx").read_bytes()
            values = yaml.safe_load((ENTRIES / "sface.yaml").read_text())
            values |= {key: TERMS[key] for key in ("embedding_dim", "colour", "mean", "std")}
            values |= {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            values |= {"sources": [{"url": f"{server.url}/net.onnx"}], **others}
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
            server.files["/net.onnx"] = content
            return server

        yield put
    find_entry.cache_clear()


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return "".join(capsys.readouterr())


def crops(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, 112, 112), dtype=np.uint8)


def test_it_embeds_as_the_same_file_with_a_contract(catalogue: Callable[..., FileServer], tmp_path: Path) -> None:
    server = catalogue()
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(TERMS))
    expected = open_model(tmp_path / "net.yaml").embed(crops())
    for _ in range(2):
        model = open_model("tiny")
        np.testing.assert_array_equal(model.embed(crops()), expected)
        assert (model.dim, str(model.path), model.trained_on) == (DIM, "tiny", None)
        assert model.origin["licence"] == "Apache-2.0"
    assert len(server.visits) == 1


def test_the_fingerprint_is_of_terms_and_weights(catalogue: Callable[..., FileServer]) -> None:
    catalogue()
    entry = find_entry("tiny")
    assert open_model("tiny").fingerprint == entry.fingerprint
    assert name_of(entry.fingerprint) == "tiny"
    assert name_of("0" * 64) is None
    others = [replace(entry, **change) for change in ({"mean": 1}, {"colour": "RGB"}, {"sha256": "1" * 64})]
    assert len({entry.fingerprint, *(other.fingerprint for other in others)}) == 4
    assert replace(entry, description="other", licence="MIT").fingerprint == entry.fingerprint


def test_statistics_of_the_user_win_over_those_of_the_package(
    catalogue: Callable[..., FileServer], tmp_path: Path
) -> None:
    catalogue()
    assert open_model("tiny").statistics == Statistics()
    shipped = {"thresholds": [{"far": 0.01, "threshold": 0.5}], "evaluated_on": {"dataset": "x", "split": "test"}}
    file = tmp_path / "entries" / "tiny.statistics.json"
    file.write_text(json.dumps(shipped))
    model = open_model("tiny")
    assert model.statistics.thresholds == (Threshold(0.01, 0.5),)
    model.store(replace(model.statistics, thresholds=(Threshold(0.01, 0.75),)))
    assert open_model("tiny").statistics.thresholds == (Threshold(0.01, 0.75),)
    assert json.loads(file.read_text()) == shipped
    stored = data_folder() / "models" / "tiny.statistics.json"
    assert tmp_path in stored.parents
    stored.write_text("{")
    with pytest.raises(ModelError, match=r"tiny\.statistics\.json: can't be read"):
        _ = open_model("tiny").statistics


def test_a_bare_name_is_of_the_catalogue_and_a_path_is_not(
    catalogue: Callable[..., FileServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue()
    monkeypatch.chdir(tmp_path)
    for model in ("./tiny", "models/tiny", "tiny.onnx", "tiny.yaml", ".", "..", "~", "a\\b", Path("tiny")):
        assert not is_name(model)
    with pytest.raises(ModelError, match=r"nothing at tiny;.* ready-made tiny"):
        open_model("./tiny")
    with pytest.raises(ModelError, match=r"no ready-made model 'tini'; there are tiny \(a folder .* is \./tini\)"):
        open_model("tini")


def test_a_licence_that_forbids_commercial_use_is_said_each_time(
    catalogue: Callable[..., FileServer], caplog: pytest.LogCaptureFixture
) -> None:
    catalogue(non_commercial=True, licence="CC-BY-NC-4.0")
    with pytest.raises(ModelError, match="accept_licence=true"):
        open_model("tiny")
    open_model("tiny", accept_licence=True)
    caplog.clear()
    open_model("tiny")
    assert "NOT FOR COMMERCIAL USE" in caplog.text


@pytest.mark.server
def test_a_gallery_of_another_model_says_how_to_go_on(catalogue: Callable[..., FileServer]) -> None:
    catalogue()
    catalogue("twin", mean=1)
    folder = short_folder()
    try:
        Gallery.open(folder / "gallery", "tiny").close()
        with pytest.raises(GalleryError, match=r"of model tiny \(\w{12}\), but yours is twin \(\w{12}\).*rebuild"):
            Gallery.open(folder / "gallery", "twin")
    finally:
        shutil.rmtree(folder)


def test_the_jobs_list_show_get_and_verify(
    catalogue: Callable[..., FileServer],
    run: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("FACEREC_CACHE", str(tmp_path / "cache"))
    server = catalogue()
    assert run("models", "action=verify", "name=tiny") == 1
    assert "`facerec models get tiny` fetches them" in printed(capsys)
    assert run("models", "action=get", "name=tiny", "offline=true") == 1
    assert "it is offline" in printed(capsys)
    assert run("models", "action=get", "name=tiny") == 0
    assert "Apache-2.0 weights" in printed(capsys)
    assert run("models", "action=verify", "name=tiny") == 0
    assert "is whole" in printed(capsys)
    weights_file(find_entry("tiny")).write_bytes(b"damaged")
    assert run("models", "action=verify", "name=tiny") == 1
    assert "is damaged or another file" in printed(capsys)
    assert run("models", "action=get", "name=tiny", f"file={tmp_path / 'net.onnx'}") == 0
    assert len(server.visits) == 1
    assert run("models") == 0
    assert "tiny" in printed(capsys)
    assert run("models", "action=show", "name=tiny") == 0
    assert "none; `facerec evaluate model=tiny dataset=…` measures some" in printed(capsys)
    assert run("models", "action=show") == 1
    assert run("models", "action=shout", "name=tiny") == 1


@pytest.mark.parametrize("name", names())
def test_an_entry_of_the_package_says_all_that_is_asked(name: str) -> None:
    entry = find_entry(name)
    assert entry.name == name
    assert len(bytes.fromhex(entry.sha256)) == 32
    assert entry.colour in ("RGB", "BGR")
    assert entry.std > 0
    assert entry.sources
    for source in entry.sources:
        assert (source.url is None) != (source.wheel is None)
        assert source.wheel is None or source.member
        assert source.url is None or source.url.startswith("https://")
    assert all(url.startswith("https://") for url in (entry.licence_url, entry.sha256_url))
    text = (ENTRIES / f"{name}.yaml").read_text(encoding="utf-8")
    assert not any(words in text for words in ("never seen", "unseen", "cleared for"))  # nobody can know


@pytest.mark.network
def test_sface_comes_through_the_users_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is the one that is set for pip or uv on this machine, or the public one."""
    entry = find_entry("sface")
    [source] = [source for source in entry.sources if source.wheel]
    assert source.wheel
    for index in indexes():
        try:
            find_wheel(index, source.wheel)
            break
        except ModelError as error:
            reason = error
    else:
        pytest.skip(f"no index here has it: {reason}")
    monkeypatch.setenv("FACEREC_CACHE", str(tmp_path))
    fetch(replace(entry, sources=(source,)))  # and not from the publisher's address
    vectors = open_model("sface", offline=True).embed(crops(2))
    assert vectors.shape == (2, 128)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert weights_file(entry).stat().st_size == entry.size


def test_a_ready_made_model_is_a_member_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "sface").mkdir()
    assert find_members(tmp_path, ["sface", str(tmp_path / "sface")], []) == {
        "sface": "sface",
        str(tmp_path / "sface"): tmp_path / "sface",
    }
    with pytest.raises(ConfigError, match="a model is given twice: sface, sface"):
        find_members(tmp_path, ["sface", "sface"], [])


def test_the_action_and_the_name_are_bare_words() -> None:
    command = [sys.executable, "-m", "facerec.models", "show", "sface"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert find_entry("sface").sha256 in shown.stdout
