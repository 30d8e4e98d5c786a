import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from onnx import TensorProto, helper, numpy_helper

from facerec.errors import GalleryError, ModelError
from facerec.gallery import Gallery, Sample, Space
from facerec.gallery.look import load_embed

DIM = 6
TERMS = {"weights": "net.onnx", "embedding_dim": DIM, "colour": "BGR", "mean": 127.5, "std": 128}


def write_network(file: Path, matrix: np.ndarray[tuple[int, int], np.dtype[np.float32]], batch: str | int) -> None:
    """A network that averages each channel and multiplies the three means with a matrix `[3, DIM]`."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["crops"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["vectors"]),
    ]
    given = [helper.make_tensor_value_info("crops", TensorProto.FLOAT, [batch, 3, 112, 112])]
    made = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, [batch, DIM])]
    graph = helper.make_graph(nodes, "net", given, made, [numpy_helper.from_array(matrix, "matrix")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), str(file))


@pytest.fixture(params=["N", 1])
def contract(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    matrix = np.random.default_rng(0).normal(size=(3, DIM)).astype(np.float32)
    write_network(tmp_path / "net.onnx", matrix, request.param)
    (tmp_path / "peer.yaml").write_text(yaml.safe_dump(TERMS))
    return tmp_path / "peer.yaml"


def test_it_embeds_as_its_contract_says(contract: Path) -> None:
    crops = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (70, 3, 112, 112), dtype=np.uint8))
    vectors = load_embed(contract, "auto", contract.parent)(crops)
    matrix = torch.from_numpy(np.random.default_rng(0).normal(size=(3, DIM)).astype(np.float32))
    means = crops.float().mean(dim=(2, 3)).flip(1)
    expected = torch.nn.functional.normalize((means - 127.5) / 128 @ matrix)
    torch.testing.assert_close(vectors, expected, atol=2e-4, rtol=0)
    assert load_embed(contract, "auto", contract.parent)(crops[:0]).shape == (0, DIM)


def test_a_gallery_of_it(contract: Path, folder: Path) -> None:
    (contract.parent / "statistics.json").write_text('{"thresholds": [{"far": 0.1, "threshold": 0.9}]}')
    crops = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (2, 3, 1, 1), dtype=np.uint8))
    vectors = load_embed(contract, "cpu", contract.parent)(crops.expand(2, 3, 112, 112).contiguous()).numpy()
    with Gallery.open(folder, contract) as gallery:
        gallery.enroll("Ann", [Sample(vectors[0])])
        [answer] = gallery.identify(vectors[:1], far=0.1)
        assert answer.person is not None
        contract.write_text(yaml.safe_dump({**TERMS, "colour": "RGB"}))
        other = Space.of(contract)
        assert other.model != gallery.space.model
        with pytest.raises(GalleryError, match=other.model):
            Gallery.open(folder, contract)


def test_what_is_wrong_with_it_is_said(contract: Path) -> None:
    crops = torch.zeros(2, 3, 112, 112, dtype=torch.uint8)
    for changes, message in (
        ({"std": "one"}, "std is missing or of the wrong type"),
        ({"colour": "GRB"}, "colour must be RGB or BGR, not GRB"),
        ({"weights": "other.onnx"}, r"other\.onnx: is missing or no ONNX model"),
        ({"embedding_dim": 7}, "can't be fed as its contract says"),
    ):
        contract.write_text(yaml.safe_dump({**TERMS, **changes}))
        with pytest.raises(ModelError, match=message):
            load_embed(contract, "cpu", contract.parent)(crops)


def test_it_is_evaluated_like_a_model_of_ours(
    contract: Path, people: Path, run: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    before = Space.of(contract).model
    quick = ["logger=csv", "resamples=50", "data.decode_workers=0", "hydra.run.dir=outputs/peer"]
    of = ["dataset=folder", f"dataset.root={people}", "dataset.test_share=0.4", "dataset.val_share=0.3"]
    assert run("evaluate", f"model={contract}", *of, *quick) == 0
    results = json.loads(Path("outputs/peer/metrics.json").read_text())
    assert list(results["systems"]) == ["model"]
    space = Space.of(contract)
    assert space.model == before == results["fingerprint"]
    assert space.statistics["thresholds"] == results["thresholds"]
    assert run("evaluate", f"model={contract}", *quick) == 1
    assert "so give it: dataset=" in capfd.readouterr().out
