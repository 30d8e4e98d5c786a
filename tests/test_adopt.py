"""A published network becomes a model folder that opens as any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
import yaml
from safetensors.numpy import load_file

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


RESNET = ("backbone=resnet18", "backbone.stem=imagenet", "backbone.final_norm=false", "backbone.embedding_dim=6")


@pytest.fixture
def network() -> torchvision.models.ResNet:
    """Somebody else's network of these names, with statistics that do something."""
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=6).train()
    with torch.no_grad():
        network(torch.randn(4, 3, 112, 112))
    return network.eval()


@pytest.mark.parametrize("colour", ["RGB", "BGR"])
def test_weights_of_pytorch_embed_as_their_own_network(
    run: Run, network: torchvision.models.ResNet, tmp_path: Path, colour: str
) -> None:
    file = tmp_path / "net.pth"
    weights = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": {**weights, "head.weight": torch.ones(9, 6)}}, file)
    given = [*RESNET, f"colour={colour}", "mean=[120,110,100]", "std=60", "licence=MIT", "origin=here"]
    assert run("adopt", f"weights={file}", *given) == 0
    model = open_model("outputs/models/net", "cpu")
    assert (model.origin["licence"], model.origin["origin"], model.dim) == ("MIT", "here", 6)

    crops = np.random.default_rng(1).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
    fed = torch.from_numpy(crops[:, ::-1].copy() if colour == "BGR" else crops).float()
    with torch.no_grad():
        vectors = network((fed - torch.tensor([120.0, 110.0, 100.0])[:, None, None]) / 60)
    expected = torch.nn.functional.normalize(vectors).numpy()
    np.testing.assert_allclose(model.embed(crops), expected, atol=1e-5)


def test_a_training_goes_on_from_adopted_weights(
    run: Run, network: torchvision.models.ResNet, tiny: list[str], tmp_path: Path
) -> None:
    torch.save(network.state_dict(), tmp_path / "net.pth")
    assert run("adopt", f"weights={tmp_path / 'net.pth'}", *RESNET, *FED, "out=adopted") == 0
    assert run("train", *tiny, *RESNET, "init_from=adopted", "hydra.run.dir=run") == 0
    origin = yaml.safe_load(Path("run/model/model.yaml").read_text())["origin"]
    assert origin["init_from"]["fingerprint"] == open_model("./adopted", "cpu").fingerprint
    weights = load_file("run/model/weights.safetensors")
    assert (weights["mean"].tolist(), weights["std"].tolist()) == ([127.5] * 3, [128] * 3)


def test_what_are_no_weights_of_the_network_is_refused_by_name(
    run: Run,
    network: torchvision.models.ResNet,
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refused(file: Path, *given: str) -> str:
        assert run("adopt", f"weights={file}", *given, "out=adopted") == 1
        assert not Path("adopted").exists()
        return printed(capsys)

    state, file = network.state_dict(), tmp_path / "net.pth"
    torch.save(state, file)
    assert "name their network, as backbone=iresnet50" in refused(file, *FED)
    assert "brings its own network; leave backbone out" in refused(weights, *FED, "backbone=iresnet18")
    assert "of IResNet {'depth': 18, 'embedding_dim': 512}" in refused(file, *FED, "backbone=iresnet18")
    assert "output: is for ONNX files" in refused(file, *FED, *RESNET, "output=vectors")
    assert "fc.weight is [6, 512], not [7, 512]" in refused(file, *FED, *RESNET[:-1], "backbone.embedding_dim=7")
    assert "mean must be a number, or three of them, not abc" in refused(
        file, *RESNET, "colour=RGB", "mean=abc", "std=1"
    )
    assert "std above 0" in refused(file, *RESNET, "colour=RGB", "mean=1", "std=0")
    torch.save({name: value for name, value in state.items() if name != "layer1.0.bn1.bias"}, file)
    assert "lacks layer1.0.bn1.bias of ResNet" in refused(file, *FED, *RESNET)
    torch.save(torchvision.models.resnet34(num_classes=6).state_dict(), file)
    assert "has layer1.2.conv1.weight, " in refused(file, *FED, *RESNET)
    torch.save({"epoch": 3, "head": torch.ones(2)}, file)
    assert "holds no weights of ResNet" in refused(file, *FED, *RESNET)
    torch.save({"network": network}, file)  # pickled classes, which could run anything
    assert "can't be read as weights" in refused(file, *FED, *RESNET)
    torch.save(state, file, _use_new_zipfile_serialization=False)
    file.write_bytes(file.read_bytes()[:9000])
    assert "can't be read as weights" in refused(file, *FED, *RESNET)
    file.write_bytes(b"no weights")
    assert "can't be read as weights" in refused(file, *FED, *RESNET)
