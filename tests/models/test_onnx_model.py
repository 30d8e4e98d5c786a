import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from facerec.crops import ARCFACE_TEMPLATE, Photo
from facerec.errors import GalleryError, ModelError
from facerec.faces import Face
from facerec.gallery import Gallery, Sample
from facerec.models import open_model
from facerec.recognition import NO_VECTOR, embed_photos, review
from tests.gallery.conftest import short_folder

DIM = 6
TERMS = {"weights": "net.onnx", "embedding_dim": DIM, "colour": "BGR", "mean": 127.5, "std": 128}


Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def write_network(
    file: Path,
    matrix: Matrix,
    batch: str | int = "N",
    *,
    shape: Sequence[int] = (3, 112, 112),
    kind: int = TensorProto.FLOAT,
    outputs: Sequence[str] = ("vectors",),
    dim: int | str = DIM,
    short: int = 0,
    second_input: bool = False,
    external: str | None = None,
) -> None:
    """A network that averages each channel and multiplies the three means with a matrix `[3, DIM]`.

    Args:
        file: where to.
        matrix: weights.
        batch: crops at once.
        shape: of a crop.
        kind: of the values it wants.
        outputs: norm is the length of a vector, twin its opposite.
        dim: length of a vector, as the file says.
        short: of how many numbers it is shorter in truth.
        second_input: want something else too.
        external: the file for the weights.
    """
    nodes = [
        helper.make_node("Cast", ["crops"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["floats"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["all"]),
        helper.make_node("Compress", ["all", "kept"], ["vectors"], axis=1),  # nobody knows how many before it runs
        helper.make_node("ReduceL2", ["vectors"], ["norm"], axes=[1], keepdims=1),
        helper.make_node("Neg", ["vectors"], ["twin"]),
    ]
    given = [helper.make_tensor_value_info("crops", kind, [batch, *shape])]
    shapes = {"norm": [batch, 1], "vectors": [batch, dim], "twin": [batch, dim]}
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs]
    if second_input:
        given.append(helper.make_tensor_value_info("boxes", kind, [batch, 4]))
        nodes.append(helper.make_node("Identity", ["boxes"], ["read"]))
    kept = np.arange(matrix.shape[1]) < DIM - short
    weights = [numpy_helper.from_array(matrix, "matrix"), numpy_helper.from_array(kept, "kept")]
    graph = helper.make_graph(nodes, "net", given, made, weights)
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(network, str(file), save_as_external_data=bool(external), location=external, size_threshold=0)


def matrix(seed: int = 0) -> Matrix:
    return np.random.default_rng(seed).normal(size=(3, DIM)).astype(np.float32)


def written(folder: Path, **changes: Any) -> Path:
    """A contract in the folder."""
    terms = {**TERMS, **changes}
    (folder / "external.yaml").write_text(
        yaml.safe_dump({key: value for key, value in terms.items() if value is not None})
    )
    return folder / "external.yaml"


@pytest.fixture(params=["N", 1])
def contract(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    write_network(tmp_path / "net.onnx", matrix(), request.param)
    return written(tmp_path)


def test_it_embeds_as_its_contract_says(contract: Path) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (70, 3, 112, 112), dtype=np.uint8)
    vectors = open_model(contract).embed(crops)
    assert vectors.dtype == np.float32
    expected = (crops.mean(axis=(2, 3))[:, ::-1] - 127.5) / 128 @ matrix()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, atol=2e-4, rtol=0)
    assert open_model(contract).embed(crops[:0]).shape == (0, DIM)


def test_a_gallery_of_it(contract: Path) -> None:
    (contract.parent / "statistics.json").write_text('{"thresholds": [{"far": 0.1, "threshold": 0.9}]}')
    crops = np.random.default_rng(1).integers(0, 256, (2, 3, 1, 1), dtype=np.uint8)
    vectors = open_model(contract).embed(np.broadcast_to(crops, (2, 3, 112, 112)))
    folder = short_folder()
    with Gallery.open(folder / "gallery", contract) as gallery:
        gallery.enroll("Ann", [Sample(vectors[0])])
        [answer] = gallery.identify(vectors[:1], far=0.1)
        assert answer.person is not None
        other = open_model(written(contract.parent, colour="RGB"))
        assert other.fingerprint != gallery.model.fingerprint
        with pytest.raises(GalleryError, match=other.fingerprint):
            Gallery.open(folder / "gallery", contract)
    shutil.rmtree(folder)


def test_what_is_wrong_with_it_is_said(contract: Path) -> None:
    for changes, message in (
        ({"std": "one"}, "std is missing or of the wrong type"),
        ({"colour": "GRB"}, "colour must be RGB or BGR, not GRB"),
        ({"weights": "other.onnx"}, r"other\.onnx: is missing or not an ONNX model"),
        ({"mean": True}, "mean is missing or of the wrong type"),
        ({"output": 1}, "output is missing or of the wrong type"),
        ({"output": "other"}, r"output does not fit net\.onnx: there is no output other among vectors"),
        (
            {"embedding_dim": 7},
            r"external\.yaml: embedding_dim does not fit net\.onnx: no output holds vectors of 7: vectors \[",
        ),
    ):
        with pytest.raises(ModelError, match=message):
            open_model(written(contract.parent, **changes))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"batch": 4}, "weights does not fit net.onnx: it takes 4 crops at once"),
        ({"shape": (3, 160, 160)}, "it takes crops ['N', 3, 160, 160] tensor(float), but crops are"),
        (
            {"shape": (112, 112, 3), "matrix": np.ones((112, DIM), np.float32)},
            "it takes crops ['N', 112, 112, 3] tensor(float), but crops are",
        ),
        ({"kind": TensorProto.DOUBLE}, "tensor(double), but crops are float32 or uint8 [N, 3, 112, 112]"),
        ({"second_input": True}, "boxes ['N', 4] tensor(float), but crops are"),
        (
            {"dim": "D", "short": 1},
            "embedding_dim does not fit: vectors is [1, 5] of 1 crops",
        ),
        (
            {"outputs": ("norm", "vectors", "twin")},
            "output does not fit net.onnx: is it vectors or twin? Name the one",
        ),
    ],
)
def test_what_does_not_fit_is_said_when_it_is_opened(network: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_network(tmp_path / "net.onnx", **{"matrix": matrix(), **network})
    contract = written(tmp_path)
    with pytest.raises(ModelError, match=re.escape(message)) as caught:
        open_model(contract)
    assert str(caught.value).startswith(f"{contract}: ")


def test_of_several_outputs_the_vectors_are_taken(tmp_path: Path) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
    write_network(tmp_path / "net.onnx", matrix())
    wanted = open_model(written(tmp_path)).embed(crops)
    for outputs, output in ((("norm", "vectors"), None), (("norm", "twin", "vectors"), "vectors")):
        write_network(tmp_path / "net.onnx", matrix(), outputs=outputs)
        np.testing.assert_allclose(open_model(written(tmp_path, output=output)).embed(crops), wanted)
    with pytest.raises(ModelError, match=r"embedding_dim does not fit .*: no output holds vectors of 6: norm"):
        open_model(written(tmp_path, output="norm"))


def test_weights_in_a_file_of_their_own_are_part_of_its_fingerprint(tmp_path: Path) -> None:
    found = set()
    for seed in (0, 1, 1):
        (tmp_path / "net.onnx.data").unlink(missing_ok=True)
        write_network(tmp_path / "net.onnx", matrix(seed), external="net.onnx.data")
        found.add(open_model(written(tmp_path)).fingerprint)
    assert len(found) == 2
    (tmp_path / "net.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"net\.onnx: is missing or not an ONNX model .*net\.onnx\.data"):
        open_model(tmp_path / "external.yaml")


def test_the_fingerprint_of_a_single_file_is_that_of_galleries_in_use(contract: Path) -> None:
    said = json.dumps({key: TERMS[key] for key in TERMS}, sort_keys=True).encode()
    expected = hashlib.sha256(said + (contract.parent / "net.onnx").read_bytes()).hexdigest()
    assert open_model(contract).fingerprint == expected


def test_a_network_without_its_contract_says_how_to_write_one(tmp_path: Path) -> None:
    network = tmp_path / "net.onnx"
    write_network(network, matrix())
    for reads in (lambda: open_model(network), lambda: open_model(network)):
        with pytest.raises(ModelError, match="does not say how to feed it") as caught:
            reads()
        for line in (
            f"write {tmp_path / 'net.yaml'} with",
            "weights: net.onnx",
            f"embedding_dim: {DIM}",
            "colour: …",
        ):
            assert line in str(caught.value)
    write_network(network, matrix(), outputs=("norm", "vectors"))
    with pytest.raises(ModelError, match=r"output: … .*norm, vectors"):
        open_model(network)
    written(tmp_path).rename(tmp_path / "net.yaml")
    with pytest.raises(ModelError, match=r"give its contract, model=.*net\.yaml"):
        open_model(network)


def test_a_face_without_a_vector_is_refused_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Black crops give zero, with a std of 1 and no mean; two of three faces are black."""
    write_network(tmp_path / "net.onnx", matrix())
    embed = open_model(written(tmp_path, mean=0, std=1)).embed
    photos: list[Photo | str] = [np.full((120, 240, 3), 99, np.uint8) for _ in range(3)]
    np.asarray(photos[0])[:, :120] = 0
    np.asarray(photos[1])[:] = 0

    class Halves:
        def find(self, photos: Sequence[Photo]) -> list[list[Face]]:
            points = similar_points()
            left = Face(np.array([0, 0, 118, 118], np.float32), points, 0.9)
            right = Face(np.array([121, 0, 231, 110], np.float32), points + np.array([122, 0], np.float32), 0.8)
            return [[left, right] for _ in photos]

    seen = embed_photos([Path(f"{n}.jpg") for n in "abc"], photos, Halves(), embed, min_size=1, min_score=0)
    assert [len(one.faces) for one in seen] == [1, 0, 2]
    assert [len(one.without_vector) for one in seen] == [1, 2, 0]
    assert [one.vectors.shape for one in seen] == [(1, DIM), (0, DIM), (2, DIM)]
    assert [one.problem for one in seen] == ["", NO_VECTOR, ""]
    assert [len(one.crops) for one in seen] == [1, 0, 2]
    assert f"a.jpg: {NO_VECTOR} for the face at [0, 0, 118, 118]" in caplog.text
    judged = [review(one, "x", strict=None, keep=False) for one in seen]
    assert judged[:2] == [f"{NO_VECTOR} for the largest face", NO_VECTOR]
    assert isinstance(judged[2], Sample)


def similar_points() -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return ARCFACE_TEMPLATE


def test_onnxruntime_keeps_its_warnings_to_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    network = tmp_path / "net.onnx"
    write_network(network, matrix())
    graph = onnx.load(str(network))
    graph.graph.initializer.extend(numpy_helper.from_array(matrix(), f"unused{n}") for n in range(5))
    onnx.save(graph, str(network))
    open_model(written(tmp_path))
    assert capfd.readouterr().err == ""


def test_it_is_evaluated_like_a_model_of_ours(
    contract: Path, people: Path, run: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    before = open_model(contract).fingerprint
    quick = ["logger=csv", "resamples=50", "data.decode_workers=0", "hydra.run.dir=outputs/external"]
    dataset = ["dataset=folder", f"dataset.root={people}", "dataset.test_share=0.4", "dataset.val_share=0.3"]
    assert run("evaluate", f"model={contract}", *dataset, *quick) == 0
    results = json.loads(Path("outputs/external/metrics.json").read_text())
    assert list(results["systems"]) == ["model"]
    model = open_model(contract)
    assert model.fingerprint == before == results["fingerprint"]
    assert [asdict(point) for point in model.statistics.thresholds] == results["thresholds"]
    assert run("evaluate", f"model={contract}", *quick) == 1
    assert "so give it: dataset=" in capfd.readouterr().out


def test_a_network_that_takes_bytes_is_fed_them_in_its_order(tmp_path: Path) -> None:
    write_network(tmp_path / "net.onnx", matrix(), kind=TensorProto.UINT8)
    crops = np.random.default_rng(0).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
    for colour in ("RGB", "BGR"):
        terms = {**TERMS, "colour": colour, "mean": 0, "std": 1}
        (tmp_path / "net.yaml").write_text(yaml.safe_dump(terms))
        means = crops.mean(axis=(2, 3))[:, :: -1 if colour == "BGR" else 1]
        expected = means @ matrix()
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(open_model(tmp_path / "net.yaml", "cpu").embed(crops), expected, atol=1e-5)
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(TERMS))
    with pytest.raises(ModelError, match=r"mean, std does not fit .*write mean: 0 and std: 1"):
        open_model(tmp_path / "net.yaml", "cpu")
