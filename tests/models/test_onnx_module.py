"""ONNX networks as modules of PyTorch: alone, and as members of an ensemble's folder."""

import copy
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from facerec.backbones import ResNet
from facerec.data import open_crops
from facerec.data.folder import folder as folder_images
from facerec.errors import ModelError
from facerec.models import Embedder, Ensemble, load, open_model, store
from facerec.models.folder import fingerprint
from facerec.models.onnx_contract import CONTRACT
from facerec.models.onnx_model import OnnxModel
from facerec.models.onnx_module import OnnxEmbedder

DIM = 6
TERMS = {"weights": "net.onnx", "embedding_dim": DIM, "colour": "BGR", "mean": 127.5, "std": 128}
CROPS = np.random.default_rng(0).integers(0, 256, (5, 3, 112, 112), dtype=np.uint8)

Nodes = list[onnx.NodeProto]


def write_network(
    file: Path, seed: int = 0, opset: int = 17, more: Nodes | None = None, external: bool = False
) -> None:
    """A convolution, batch norm, slopes of each channel, the mean of the places, and a matrix."""
    random = np.random.default_rng(seed)
    weights = {
        "kernel": random.normal(size=(8, 3, 3, 3)) / 5,
        "slopes": random.uniform(0, 1, size=(1, 8, 1, 1)),
        "matrix": random.normal(size=(8, DIM)),
        **{name: random.uniform(0.5, 1.5, size=8) for name in ("scale", "bias", "mean", "variance")},
    }
    tensors = [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()]
    tensors.append(numpy_helper.from_array(np.array([-1, 8]), "rows"))
    as_exported: dict[str, Any] = {"allowzero": 1} if opset >= 14 else {}  # PyTorch's exporter always says so
    nodes = [
        helper.make_node("Conv", ["crops", "kernel"], ["maps"], strides=[4, 4]),
        helper.make_node("BatchNormalization", ["maps", "scale", "bias", "mean", "variance"], ["normal"]),
        helper.make_node("PRelu", ["normal", "slopes"], ["bent"]),
        helper.make_node("GlobalAveragePool", ["bent"], ["means"]),
        helper.make_node("Reshape", ["means", "rows"], ["flat"], **as_exported),
        helper.make_node("MatMul", ["flat", "matrix"], ["twins"]),
        *(more or [helper.make_node("Identity", ["twins"], ["vectors"])]),
    ]
    given = [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["n", 3, 112, 112])]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", DIM]) for name in ("twins", "vectors")]
    graph = helper.make_graph(nodes, "net", given, made, tensors)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    network = helper.make_model(graph, opset_imports=imports, ir_version=10)
    place = "net.data" if external else None
    onnx.save(network, str(file), save_as_external_data=external, location=place, size_threshold=100)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., OnnxModel]:
    """Writes a network with its contract, and opens it."""

    def make(name: str = "net", seed: int = 0, terms: dict[str, Any] | None = None, **network: Any) -> OnnxModel:
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        write_network(place / "net.onnx", seed, **network)
        (place / CONTRACT).write_text(yaml.safe_dump({**TERMS, "output": "vectors", **(terms or {})}))
        model = open_model(place, "cpu")
        assert isinstance(model, OnnxModel)
        return model

    return make


def ours(dim: int = 4) -> Embedder:
    torch.manual_seed(dim)
    return Embedder(ResNet(18, embedding_dim=dim, stem="imagenet"), (120, 110, 100), (70, 71, 72)).eval()


@pytest.fixture(scope="module")
def faces(people: Path, tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.uint8]:
    """Crops of real faces."""
    images = folder_images(str(people))
    return np.array(open_crops(images, tmp_path_factory.mktemp("crops"), 0)[::3])


# Alone


@pytest.mark.parametrize("name", ["sface", "mobilefacenet"])
def test_ready_made_networks_give_the_vectors_of_onnx_runtime(
    name: str, faces: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACEREC_CACHE", raising=False)
    try:
        model = open_model(name, "cpu", offline=True)
    except ModelError as error:
        pytest.skip(f"its weights are not in the user's cache: {error}")
    assert isinstance(model, OnnxModel)
    embedder, wanted = OnnxEmbedder.of_model(model), model.embed(faces)
    np.testing.assert_allclose(embedder.embed(faces), wanted, atol=1e-5, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        halved = embedder(torch.from_numpy(faces))
    assert halved.dtype == torch.float32
    assert (halved.numpy() * wanted).sum(axis=1).min() > 0.995


@pytest.mark.parametrize("opset", [13, 17, 20])
@pytest.mark.parametrize("terms", [{}, {"colour": "RGB", "mean": 0, "std": 1}, {"output": "twins"}])
def test_it_gives_the_vectors_of_onnx_runtime(
    make: Callable[..., OnnxModel], opset: int, terms: dict[str, Any]
) -> None:
    model = make(opset=opset, terms=terms)
    embedder = OnnxEmbedder.of_model(model)
    found = embedder.embed(CROPS, batch_size=3)
    np.testing.assert_allclose(found, model.embed(CROPS), atol=1e-5, rtol=0)
    assert found.dtype == np.float32
    assert found.shape == (5, embedder.embedding_dim) == (5, DIM)
    assert embedder.embed(CROPS[:0]).shape == (0, DIM)
    assert embedder.fingerprint == model.fingerprint


def test_it_is_frozen_and_stores_no_weights(make: Callable[..., OnnxModel]) -> None:
    embedder = OnnxEmbedder.of_model(make())
    whole = torch.nn.ModuleDict({"student": ours(), "teacher": embedder}).train()
    assert not any(module.training for module in embedder.modules())
    assert not list(embedder.parameters())
    assert not embedder.state_dict()
    assert not any(name.startswith("teacher") for name in whole.state_dict())
    whole.load_state_dict(dict(whole.state_dict()))  # as safetensors gives it: without versions of modules
    assert not embedder(torch.from_numpy(CROPS)).requires_grad


def test_it_works_where_it_is_sent_and_under_autocast(make: Callable[..., OnnxModel]) -> None:
    embedder = OnnxEmbedder.of_model(make())
    wanted = embedder(torch.from_numpy(CROPS))
    with torch.autocast("cpu", torch.bfloat16):
        halved = embedder(torch.from_numpy(CROPS))
    assert halved.dtype == torch.float32
    torch.testing.assert_close(halved.norm(dim=1), torch.ones(5))
    assert (halved * wanted).sum(dim=1).min() > 0.99
    # a tensor left behind would be on another device than the crops
    moved = copy.deepcopy(embedder).to("meta")
    assert moved(torch.zeros(2, 3, 112, 112, dtype=torch.uint8, device="meta")).shape == (2, DIM)


@pytest.mark.gpu
def test_it_works_on_a_gpu(make: Callable[..., OnnxModel]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU with CUDA")
    model = make()
    found = OnnxEmbedder.of_model(model).to("cuda").embed(CROPS)
    np.testing.assert_allclose(found, model.embed(CROPS), atol=1e-3, rtol=0)


def test_anything_but_uint8_crops_is_refused(make: Callable[..., OnnxModel]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        OnnxEmbedder.of_model(make())(torch.zeros(1, 3, 112, 112))


def test_weights_in_other_files_come_along(make: Callable[..., OnnxModel], tmp_path: Path) -> None:
    model = make("apart", external=True)
    assert (tmp_path / "apart" / "net.data").exists()
    embedder = OnnxEmbedder.of_model(model)
    np.testing.assert_allclose(embedder.embed(CROPS), make("whole").embed(CROPS), atol=1e-5, rtol=0)


ODD: dict[str, Nodes] = {
    "Hardmax": [helper.make_node("Hardmax", ["twins"], ["vectors"])],
    "com.microsoft.Gelu": [helper.make_node("Gelu", ["twins"], ["vectors"], domain="com.microsoft")],
    "QuantizeLinear": [
        helper.make_node("Constant", [], ["step"], value_float=0.1),
        helper.make_node("QuantizeLinear", ["twins", "step"], ["bytes"]),
        helper.make_node("DequantizeLinear", ["bytes", "step"], ["vectors"]),
    ],
}


@pytest.mark.parametrize("operator", ODD)
def test_an_operator_that_can_not_be_converted_is_named(make: Callable[..., OnnxModel], operator: str) -> None:
    with pytest.raises(
        ModelError, match=rf"net/contract\.yaml: can't be converted to PyTorch.* operator {operator}"
    ):
        OnnxEmbedder.of_model(make(more=ODD[operator]))


def test_a_network_that_becomes_another_one_is_refused(make: Callable[..., OnnxModel]) -> None:
    model = make(more=[helper.make_node("Dropout", ["twins"], ["vectors"])])
    assert OnnxEmbedder.of_model(model).embed(CROPS).shape == (5, DIM)
    broken = make(seed=1)
    broken.network = model.network  # what ONNX Runtime computes is not what the file says
    with pytest.raises(ModelError, match="gives other vectors in PyTorch than in ONNX Runtime"):
        OnnxEmbedder.of_model(broken)


# As a member


@pytest.fixture
def saved(make: Callable[..., OnnxModel], tmp_path: Path) -> Path:
    """An ensemble of two networks, one of ours between them."""
    first, second = make("first"), make("second", seed=1, terms={"colour": "RGB"})
    members = {"a/first": OnnxEmbedder.of_model(first), "ours": ours(), "second": OnnxEmbedder.of_model(second)}
    store.save(tmp_path / "model", Ensemble(members, [0.2, 0.5, 0.3]), statistics={}, origin={"seed": 0})
    shutil.rmtree(tmp_path / "first")
    shutil.rmtree(tmp_path / "second")
    return tmp_path / "model"


def test_an_ensemble_holds_the_networks_of_its_members(
    saved: Path, make: Callable[..., OnnxModel], tmp_path: Path
) -> None:
    moved = Path(shutil.move(saved, tmp_path / "moved"))
    assert sorted(str(file.relative_to(moved)) for file in moved.rglob("*") if file.is_file()) == [
        *("members/0.onnx", "members/2.onnx", "model.yaml", "statistics.json", "weights.safetensors")
    ]
    loaded, first = load(moved), make("first")
    parts = [first.embed(CROPS), ours().embed(CROPS), make("second", seed=1, terms={"colour": "RGB"}).embed(CROPS)]
    wanted = np.concatenate([w**0.5 * part for w, part in zip((0.2, 0.5, 0.3), parts, strict=True)], axis=1)
    np.testing.assert_allclose(loaded.embed(CROPS), wanted, atol=1e-5, rtol=0)
    contract = yaml.safe_load((moved / "model.yaml").read_text())
    kept = contract["members"][0]
    assert list(kept) == ["name", "network", "embedding_dim", "origin", "fingerprint"]
    assert kept["fingerprint"] == first.fingerprint
    assert (moved / "weights.safetensors").stat().st_size < ours().embedding_dim * 4 + 46_000_000
    assert {name.split(".")[1] for name in loaded.state_dict() if name.startswith("members")} == {"1"}
    # saved again it is the same, over itself, too
    store.save(moved, loaded, statistics={}, origin={})
    store.save(tmp_path / "again", load(moved), statistics={}, origin={})
    assert fingerprint(tmp_path / "again") == fingerprint(moved) == store.fingerprint_of(loaded)
    assert yaml.safe_load((tmp_path / "again/model.yaml").read_text())["members"] == contract["members"]
    assert open_model(moved).weights == pytest.approx([0.2, 0.5, 0.3])


@pytest.mark.slow
def test_the_copy_for_onnx_runtime_holds_them_too(saved: Path, caplog: pytest.LogCaptureFixture) -> None:
    wanted = load(saved).embed(CROPS)
    shutil.copytree(saved, saved.with_name("served"))
    served = open_model(saved.with_name("served"), "cpu")
    np.testing.assert_allclose(served.embed(CROPS), wanted, atol=1e-5, rtol=0)
    shutil.rmtree(saved.with_name("served") / "members")  # the copy alone answers
    with caplog.at_level(logging.INFO):
        again = open_model(saved.with_name("served"), "cpu")
        np.testing.assert_allclose(again.embed(CROPS), wanted, atol=1e-5, rtol=0)
    assert "writing it" not in caplog.text


def test_the_fingerprint_follows_the_network_and_how_it_is_fed(saved: Path) -> None:
    path, before = saved / "model.yaml", fingerprint(saved)
    contract = yaml.safe_load(path.read_text())
    prints = set()
    for key, value in {"sha256": "0" * 64, "colour": "RGB", "mean": 1, "std": 2, "output": "twins"}.items():
        changed = copy.deepcopy(contract)
        changed["members"][0]["network"][key] = value
        path.write_text(yaml.safe_dump(changed))
        prints.add(fingerprint(saved))
    assert len({before, *prints}) == 6
    contract["members"][0].update(name="other", origin={"licence": "x"}, fingerprint="y")
    path.write_text(yaml.safe_dump(contract))
    assert fingerprint(saved) == before


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: m["network"].update(file="../secret.onnx"),
            r"members\[0\]\.network\.file can't be '\.\./secret",
        ),
        (lambda m: m["network"].update(file="members/0.onnx\n"), r"network\.file can't be"),
        (lambda m: m["network"].update(file=["members/0.onnx"]), r"network\.file can't be"),
        (lambda m: m["network"].update(file="members/1.onnx"), r"members/1\.onnx: is missing"),
        (lambda m: m["network"].update(file="members/2.onnx"), r"members/2\.onnx: is damaged or another network"),
        (lambda m: m["network"].update(sha256=1), r"network\.sha256 can't be 1"),
        (lambda m: m["network"].update(colour="GREY"), r"network\.colour can't be 'GREY'"),
        (lambda m: m["network"].update(colour=["RGB"]), r"network\.colour can't be"),
        (lambda m: m["network"].update(std=0), r"network\.std can't be 0"),
        (lambda m: m["network"].update(mean="1"), r"network\.mean can't be '1'"),
        (lambda m: m["network"].update(output="others"), r"there is no output others"),
        (lambda m: m["network"].pop("output"), r"members\[0\]\.network\.output is missing"),
        (lambda m: m["network"].update(run="x"), r"members\[0\]\.network\.'run' is unknown"),
        (lambda m: m.update(network="net.onnx"), r"members\[0\]\.network must hold the keys file"),
        (lambda m: m.update(embedding_dim=5), r"members\[0\]\.embedding_dim is 5, but this network gives 6"),
        (lambda m: m.update(embedding_dim="6"), r"members\[0\]\.embedding_dim must be of type int"),
        (lambda m: m.update(origin=1), r"members\[0\]\.origin must be of type dict"),
        (lambda m: m.pop("origin"), r"members\[0\]\.origin is missing"),
        (lambda m: m.update(backbone={"class": "ResNet"}), r"members\[0\]\.'backbone' is unknown"),
    ],
)
def test_a_tampered_member_is_refused_by_key(saved: Path, change: Change, message: str) -> None:
    contract = yaml.safe_load((saved / "model.yaml").read_text())
    change(contract["members"][0])
    (saved / "model.yaml").write_text(yaml.safe_dump(contract))
    with pytest.raises(ModelError, match=message):
        load(saved)


def test_formats_before_had_no_networks(saved: Path) -> None:
    contract = yaml.safe_load((saved / "model.yaml").read_text())
    (saved / "model.yaml").write_text(yaml.safe_dump({**contract, "format": 2}))
    with pytest.raises(ModelError, match=r"members\[0\]\.backbone is missing"):
        load(saved)


def test_a_damaged_network_is_refused_by_file(saved: Path) -> None:
    whole = (saved / "members/0.onnx").read_bytes()
    (saved / "members/0.onnx").write_bytes(whole[:100])
    with pytest.raises(ModelError, match=r"members/0\.onnx: is damaged or another network"):
        load(saved)


def test_a_file_of_somebody_else_among_the_members_stays(saved: Path) -> None:
    (saved / "members/notes.txt").write_text("mine")
    with pytest.raises(ModelError, match=r"holds \['members/notes\.txt'\]"):
        store.save(saved, load(saved), statistics={}, origin={})
    assert (saved / "members/notes.txt").exists()
