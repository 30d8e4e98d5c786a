import pytest
import torch
from torch import nn

from facerec.backbones import IResNet
from facerec.errors import ConfigError


# millions of parameters with 512 numbers, as arcface_torch's own networks have
@pytest.mark.parametrize(("depth", "millions"), [(18, 24.03), (34, 34.14), (50, 43.59), (100, 65.16)])
def test_it_is_as_large_as_published(depth: int, millions: float) -> None:
    with torch.device("meta"):
        network = IResNet(depth)
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


def test_parameters_are_named_as_published() -> None:
    with torch.device("meta"):
        names = set(IResNet(18).state_dict())
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    stem = {"conv1.weight", "prelu.weight", *(f"bn1.{key}" for key in norm)}
    head = {"fc.weight", "fc.bias", *(f"{name}.{key}" for name in ("bn2", "features") for key in norm)}
    blocks = set()
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            inside = {"conv1.weight", "prelu.weight", "conv2.weight"}
            inside |= {f"{name}.{key}" for name in ("bn1", "bn2", "bn3") for key in norm}
            if block == 0:
                inside |= {"downsample.0.weight", *(f"downsample.1.{key}" for key in norm)}
            blocks |= {f"layer{stage}.{block}.{name}" for name in inside}
    assert names == stem | head | blocks


def test_sizes_halve_at_each_stage_and_a_block_can_be_its_shortcut() -> None:
    network = IResNet(18, embedding_dim=8).eval()
    shapes = []
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        stage.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[1:])))
    assert network(torch.randn(2, 3, 112, 112)).shape == (2, 8)
    assert shapes == [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
    block: nn.Module = network.layer2[1]
    nn.init.zeros_(block.bn3.weight)  # type: ignore[arg-type, union-attr]
    x = torch.randn(2, 128, 28, 28)
    torch.testing.assert_close(block(x), x)


def test_the_last_scale_is_not_trained() -> None:
    with torch.device("meta"):
        network = IResNet(18)
    frozen = [name for name, weight in network.named_parameters() if not weight.requires_grad]
    assert frozen == ["features.weight"]


@pytest.mark.parametrize(
    ("given", "said"), [({"depth": 49}, "depth"), ({"depth": 50, "embedding_dim": 0}, "embedding_dim")]
)
def test_what_is_no_network_is_refused(given: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=rf"backbone\.{said}"):
        IResNet(**given)
