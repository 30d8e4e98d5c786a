"""Networks of timm and torchvision, by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from facerec.backbones import BACKBONES, TimmNetwork, TorchvisionNetwork
from facerec.backbones.named import NamedNetwork
from facerec.errors import ConfigError, ModelError
from facerec.models import Embedder, load, open_model
from facerec.models.folder import CONTRACT
from facerec.models.store import save

Library = type[TimmNetwork] | type[TorchvisionNetwork]
CLASSES = pytest.mark.parametrize("cls", [TimmNetwork, TorchvisionNetwork])
NAMES = {"TimmNetwork": "mobilenetv3_small_050", "TorchvisionNetwork": "mobilenet_v3_small"}
CROPS = np.random.default_rng(0).integers(0, 256, (4, 3, 112, 112), dtype=np.uint8)


@pytest.fixture(autouse=True)
def libraries(request: pytest.FixtureRequest) -> None:
    if "Torchvision" not in request.node.name:
        pytest.importorskip("timm", reason="timm is not installed: pip install 'facerec[timm]'")


def pixels() -> Tensor:
    return torch.randn(4, 3, 112, 112, generator=torch.Generator().manual_seed(0))


def make(cls: Library, **options: Any) -> NamedNetwork:
    """A network whose running statistics are not the initial ones, in evaluation mode."""
    torch.manual_seed(0)
    network = cls(**{"name": NAMES[cls.__name__], "embedding_dim": 6, **options}).train()
    with torch.no_grad():
        network(pixels())
    return network.eval()


@pytest.mark.parametrize(
    ("name", "fixed"),
    [("mobilenetv3_small_050", {}), ("convnext_atto", {}), ("vit_tiny_patch16_224", {"img_size": 112})],
)
def test_timms_own_features_go_to_the_neck(name: str, fixed: dict[str, Any]) -> None:
    import timm

    ours = make(TimmNetwork, name=name)
    theirs: Any = timm.create_model(name, pretrained=False, **fixed).eval()
    unset = theirs.load_state_dict(ours.network.state_dict(), strict=False)
    assert not unset.unexpected_keys
    assert {key.rpartition(".")[0] for key in unset.missing_keys} <= {"classifier", "head.fc", "head"}
    with torch.no_grad():
        features = theirs.forward_head(theirs.forward_features(pixels()), pre_logits=True)
        torch.testing.assert_close(ours.network(pixels()), features)
        torch.testing.assert_close(ours(pixels()), ours.norm(ours.fc(features)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "shufflenet_v2_x0_5", "swin_t", "googlenet"])
def test_a_Torchvision_network_is_kept_up_to_its_last_layer(name: str) -> None:  # noqa: N802
    ours = make(TorchvisionNetwork, name=name)
    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    theirs = torchvision.models.get_model(name, weights=None, num_classes=9, **options).eval()
    unset = theirs.load_state_dict(ours.network.state_dict(), strict=False)
    [layer] = {key.rpartition(".")[0] for key in unset.missing_keys}
    assert not unset.unexpected_keys
    with torch.no_grad():
        scores = theirs.get_submodule(layer)(ours.network(pixels()))
        torch.testing.assert_close(scores, theirs(pixels()))


@CLASSES
def test_the_neck_normalises_and_may_end_in_a_relu(cls: Library) -> None:
    plain, cut = make(cls), make(cls, final_relu=True)
    assert (plain(pixels()) < 0).any()
    torch.testing.assert_close(cut(pixels()), plain(pixels()).clamp(min=0))
    assert isinstance(make(cls, final_norm=False).norm, nn.Identity)
    features = plain.train()(pixels()).double()
    torch.testing.assert_close(features.mean(0), torch.zeros(6).double(), atol=1e-5, rtol=0)


@CLASSES
def test_making_one_leaves_its_statistics_alone(cls: Library) -> None:
    torch.manual_seed(0)
    network = cls(name=NAMES[cls.__name__])
    assert network.training
    assert all(float(value.sum()) == 0 for name, value in network.named_buffers() if name.endswith("mean"))


@pytest.mark.slow
@CLASSES
def test_it_comes_back_from_a_model_folder_and_through_onnx_runtime(cls: Library, tmp_path: Path) -> None:
    embedder = Embedder(make(cls), (120, 110, 100), (70, 70, 70)).eval()
    save(tmp_path, embedder, statistics={}, origin={})
    loaded = load(tmp_path)
    assert isinstance(loaded, Embedder)
    assert loaded.backbone.options == embedder.backbone.options == {**embedder.backbone.options, "embedding_dim": 6}
    vectors = embedder.embed(CROPS)
    np.testing.assert_array_equal(loaded.embed(CROPS), vectors)
    np.testing.assert_allclose(open_model(tmp_path, "cpu").embed(CROPS), vectors, atol=1e-5, rtol=0)
    assert (tmp_path / "model.onnx").is_file()


@CLASSES
def test_a_folder_that_names_no_network_is_refused(cls: Library, tmp_path: Path) -> None:
    save(tmp_path, Embedder(make(cls), (120, 110, 100), (70, 70, 70)), statistics={}, origin={})
    contract = tmp_path / CONTRACT
    contract.write_text(contract.read_text().replace(NAMES[cls.__name__], "hf_hub:somebody/code"))
    with pytest.raises(ModelError, match="has no network 'hf_hub:somebody/code'"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("cls", "name", "said"),
    [
        ("TimmNetwork", "convnxt_tiny", "timm has no network 'convnxt_tiny'; do you mean convnext_tiny"),
        ("TimmNetwork", "convnext_tiny.in12k", "do you mean convnext_tiny"),
        ("TimmNetwork", "qqqqqqqq", r"its names are those of timm's list_models\(\)"),
        ("TimmNetwork", "coat_tiny", "timm's coat_tiny can't be made for crops of 112 px"),
        ("TorchvisionNetwork", "mobilnet_v3_small", "do you mean mobilenet_v3_small"),
        ("TorchvisionNetwork", "fasterrcnn_resnet50_fpn", "torchvision has no network"),
        ("TorchvisionNetwork", "maxvit_t", "maxvit_t can't be made for crops of 112 px"),
    ],
)
def test_what_is_no_network_for_crops_is_refused_by_name(cls: str, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"^backbone\.name: .*{said}"):
        BACKBONES[cls](name=name)


@CLASSES
def test_a_width_that_no_embedding_has_is_refused(cls: Library) -> None:
    with pytest.raises(ConfigError, match=r"backbone\.embedding_dim"):
        make(cls, embedding_dim=0)
