"""A model becomes an ONNX file that gives its vectors, opens again by its contract, and can be made of 8 bits."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from facerec.backbones import ResNet
from facerec.crops.contract import Crops
from facerec.data import open_crops, orl
from facerec.models import Embedder, load, open_model
from facerec.models.store import save
from tests.conftest import Run
from tests.models.test_onnx_model import DIM, matrix

THRESHOLDS = {"thresholds": [{"far": 0.01, "threshold": 0.5}], "evaluated_on": {"dataset": "orl"}}
ABOUT = {"trained_on": {"dataset": "orl", "identities": ["a", "b"]}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of a small network that has seen real crops."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("export")
    embedder = Embedder(ResNet(18, stem="imagenet", embedding_dim=16), (120, 110, 100), (70, 70, 70)).train()
    crops = np.array(open_crops(orl(), root / "cache", 0))
    with torch.no_grad():
        for start in range(0, 320, 32):
            embedder(torch.from_numpy(crops[start : start + 32]))
    origin = {"licence": "MIT"}
    save(root / "model", embedder.eval(), statistics={**THRESHOLDS, **ABOUT}, origin=origin)
    return root / "model"


@pytest.fixture(scope="module")
def crops(folder: Path) -> Crops:
    images = orl()
    return np.array(open_crops(images, folder.parent / "cache", 0)[images.rows("test")])


def test_the_file_gives_the_models_vectors_for_any_number_of_crops_and_opens_by_its_contract(
    run: Run,
    folder: Path,
    crops: np.ndarray,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("export", f"model={folder}", "out=there/net.onnx", "opset=19") == 0
    said = capsys.readouterr().out
    assert "uint8 crops [n, 3, 112, 112] in, RGB; unit vectors [n, 16] out; opset 19" in said
    assert "on 100 crops of orl: largest difference" in said
    assert {file.name for file in Path("there").iterdir()} == {"net.onnx", "net.yaml", "statistics.json"}

    own = load(folder).embed(crops)
    session = onnxruntime.InferenceSession("there/net.onnx")
    [given] = session.get_inputs()
    assert (given.name, given.type, given.shape[1:]) == ("crops", "tensor(uint8)", [3, 112, 112])
    for count in (1, 3, 100):
        [vectors] = session.run(["vectors"], {"crops": crops[:count]})
        np.testing.assert_allclose(vectors, own[:count], atol=1e-5, rtol=0)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)

    opened = open_model("there/net.yaml", "cpu")
    np.testing.assert_allclose(opened.embed(crops), own, atol=1e-5, rtol=0)
    assert [(point.far, point.threshold) for point in opened.statistics.thresholds] == [(0.01, 0.5)]
    assert opened.statistics.trained_on == ABOUT["trained_on"]
    assert opened.origin["licence"] == "MIT"
    assert open_model(folder, "cpu").fingerprint in opened.origin["origin"]


def test_8_bits_are_a_third_as_large_nearly_the_same_and_have_no_thresholds(
    run: Run,
    folder: Path,
    crops: np.ndarray,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("export", f"model={folder}", "out=small/net.onnx", "quantise=true") == 0
    said = capsys.readouterr().out
    assert "TAR at FAR 0.01: " in said
    assert "it has no thresholds yet" in said
    assert Path("small/net.onnx").stat().st_size < (folder / "weights.safetensors").stat().st_size / 3
    opened = open_model("small/net.yaml", "cpu")
    assert opened.statistics.thresholds == ()
    assert opened.statistics.trained_on == ABOUT["trained_on"]
    cosines = (opened.embed(crops) * load(folder).embed(crops)).sum(axis=1)
    assert f"lowest cosine {cosines.min():.3f}" in said
    assert 0.9 < cosines.min() < 0.99999
    graph = onnx.load("small/net.onnx").graph
    kinds = Counter(tensor.data_type for tensor in graph.initializer if len(tensor.dims) == 4)
    assert set(kinds) == {onnx.TensorProto.INT8}


def test_an_external_network_is_exported_as_one_that_takes_bytes(run: Run) -> None:
    nodes = [
        onnx.helper.make_node("GlobalAveragePool", ["values"], ["means"]),
        onnx.helper.make_node("Flatten", ["means"], ["rows"]),
        onnx.helper.make_node("MatMul", ["rows", "matrix"], ["vectors"]),
    ]
    inputs = [onnx.helper.make_tensor_value_info("values", onnx.TensorProto.FLOAT, ["N", 3, 112, 112])]
    outputs = [onnx.helper.make_tensor_value_info("vectors", onnx.TensorProto.FLOAT, ["N", DIM])]
    weights = [onnx.numpy_helper.from_array(matrix(), "matrix")]
    opset = [onnx.helper.make_opsetid("", 17)]
    graph = onnx.helper.make_graph(nodes, "net", inputs, outputs, weights)
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), "net.onnx")
    assert run("adopt", "weights=net.onnx", "colour=BGR", "mean=100", "std=50", "out=adopted") == 0
    assert run("export", "model=./adopted", "out=there/net.onnx") == 0
    crops = np.random.default_rng(1).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
    vectors = open_model("there/net.yaml", "cpu").embed(crops)
    np.testing.assert_allclose(vectors, open_model("./adopted", "cpu").embed(crops), atol=1e-5, rtol=0)


def test_what_cannot_be_written_is_refused_by_its_key(
    run: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*given: str, out: str = "there/net.onnx") -> str:
        assert run("export", f"model={folder}", f"out={out}", *given) == 1
        return "".join(capsys.readouterr())

    assert "to: must be onnx, not tflite" in refused("to=tflite")
    assert "out: must be a file FILE.onnx, not there" in refused(out="there")
    assert "far: must be a rate between 0 and 1, not 1" in refused("far=1")
    assert "opset: must be 18 or above, not 7" in refused("opset=7")
    assert not [*Path("there").iterdir()]
    for name in ("net.onnx", "net.yaml", "statistics.json"):
        Path("there", name).write_text("mine")
        assert f"out: there/{name} is there already" in refused()
        assert [file.read_text() for file in Path("there").iterdir()] == ["mine"]
        Path("there", name).unlink()
