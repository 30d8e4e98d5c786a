"""Weights by AdaFace's names, beside a network of AdaFace's form that the test builds."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facerec.backbones import IResNet
from facerec.errors import ModelError
from facerec.models.adaface_names import renamed
from facerec.models.published_weights import load_published

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 14, 3)}


class _Block(nn.Module):
    """The residual block of the paper's repository: a shortcut without weights where the width stays."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut_layer = (
            nn.MaxPool2d(1, stride)
            if inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return total


class _AdaFace(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        widths = [
            width for width, count in zip((64, 128, 256, 512), BLOCKS[depth], strict=True) for _ in range(count)
        ]
        before = [64, *widths[:-1]]
        starts = {sum(BLOCKS[depth][:stage]) for stage in range(4)}
        self.body = nn.Sequential(
            *(
                _Block(inputs, outputs, 2 if place in starts else 1)
                for place, (inputs, outputs) in enumerate(zip(before, widths, strict=True))
            )
        )
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(512),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(512 * 7 * 7, 512),
            nn.BatchNorm1d(512, affine=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.output_layer(self.body(self.input_layer(x)))
        return features


@pytest.fixture(params=list(BLOCKS))
def network(request: pytest.FixtureRequest) -> _AdaFace:
    """With weights that matter everywhere, those of batch normalisation included."""
    torch.manual_seed(0)
    network = _AdaFace(request.param)
    for name, value in network.state_dict().items():
        if value.is_floating_point() and value.dim() < 2:
            value.uniform_(0.5, 1.5)
            if name.endswith(("bias", "mean")):
                value.sub_(1)
    return network.eval()


@pytest.mark.parametrize("prefix", ["", "model.", "module.backbone."])
def test_an_iresnet_with_them_gives_the_same_features(network: _AdaFace, prefix: str, tmp_path: Path) -> None:
    file = tmp_path / "adaface.ckpt"
    weights = {f"{prefix}{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": {**weights, "head.kernel": torch.zeros(512, 9)}, "epoch": 3}, file)
    depth = next(depth for depth, blocks in BLOCKS.items() if sum(blocks) == len(network.body))
    iresnet = IResNet(depth)
    load_published(file, iresnet)
    crops = torch.randn(2, 3, 112, 112)
    with torch.inference_mode():
        expected = network(crops)
        scale = expected.abs().max()
        torch.testing.assert_close(iresnet.eval()(crops) / scale, expected / scale, rtol=1e-4, atol=1e-4)


def test_another_depth_is_refused(network: _AdaFace, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "adaface.pth")
    with pytest.raises(ModelError, match=r"IResNet .*choose another"):
        load_published(tmp_path / "adaface.pth", IResNet(34))


def test_other_names_are_left_alone() -> None:
    assert renamed({"layer1.0.conv1.weight": torch.zeros(1), "body.0.res_layer.4.weight": torch.zeros(7, 7)}) == {}
    assert renamed({}) == {}
