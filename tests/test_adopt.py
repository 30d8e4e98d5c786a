"""A published ONNX file becomes a model folder that opens as any other."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from facerec.models import open_model
from tests.conftest import Run
from tests.models.test_onnx_model import DIM, TERMS, matrix, write_network


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    write_network(tmp_path / "net.onnx", matrix())
    return tmp_path / "net.onnx"


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return "".join(capsys.readouterr())


FED = ("colour=BGR", "mean=127.5", "std=128")


def test_the_folder_embeds_as_the_file(run: Run, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(TERMS))
    crops = np.random.default_rng(1).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
    expected = open_model(tmp_path / "net.yaml").embed(crops)
    about = {"licence": "CC BY-NC 4.0 (research), see site", "origin": "https://example.org/a?b=c"}
    assert run("adopt", f"weights={weights}", *FED, *(f"{key}={value}" for key, value in about.items())) == 0
    folder = Path("outputs/models/net")
    assert sorted(file.name for file in folder.iterdir()) == ["contract.yaml", "net.onnx"]
    weights.unlink()
    model = open_model(folder)
    np.testing.assert_array_equal(model.embed(crops), expected)
    assert model.dim == DIM
    contract = yaml.safe_load((folder / "contract.yaml").read_text())
    assert {key: contract[key] for key in about} == about
    model.store(model.statistics)
    assert (folder / "statistics.json").exists()


def test_weights_in_another_folder_are_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    write_network(tmp_path / "net.onnx", matrix(), external="data/net.data")
    assert run("adopt", f"weights={tmp_path / 'net.onnx'}", *FED, f"out={tmp_path / 'adopted'}") == 1
    assert "put all of its files into one folder" in printed(capsys)
    assert not (tmp_path / "adopted").exists()


def test_weights_in_files_of_their_own_come_along(run: Run, tmp_path: Path) -> None:
    write_network(tmp_path / "net.onnx", matrix(), external="net.data")
    assert run("adopt", f"weights={tmp_path / 'net.onnx'}", *FED, f"out={tmp_path / 'adopted'}") == 0
    assert {"net.onnx", "net.data", "contract.yaml"} == {file.name for file in (tmp_path / "adopted").iterdir()}
    (tmp_path / "net.data").unlink()
    assert open_model(tmp_path / "adopted").dim == DIM


def test_what_is_no_embedder_is_refused_and_nothing_is_written(
    run: Run, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*given: str) -> str:
        assert run("adopt", f"weights={weights}", *given) == 1
        assert not Path("outputs/models").exists()
        return printed(capsys)

    assert "colour: must be given" in refused()
    assert "colour must be RGB or BGR, not GRB" in refused("colour=GRB", *FED[1:])
    assert "embedding_dim does not fit" in refused(*FED, "embedding_dim=7")
    write_network(weights, matrix(), dim="d")
    assert "does not say how long its vectors are" in refused(*FED)
    write_network(weights, np.zeros((3, DIM), np.float32))
    assert "one vector for two different crops" in refused(*FED)
    write_network(weights, np.full((3, DIM), np.nan, np.float32))
    assert "not finite" in refused(*FED)
    weights.write_bytes(b"no network")
    assert "is missing or not an ONNX model" in refused(*FED)


def test_a_folder_that_is_there_stays(run: Run, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("outputs/models/net")
    folder.mkdir(parents=True)
    (folder / "mine").write_text("kept")
    assert run("adopt", f"weights={weights}", *FED) == 1
    assert f"out: {folder} is there already" in printed(capsys)
    assert [file.name for file in folder.iterdir()] == ["mine"]
