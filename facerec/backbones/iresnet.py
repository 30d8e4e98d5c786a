"""The residual networks of ArcFace's authors (Deng et al., arXiv 1801.07698, section 3.2.2: option E)."""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import conv1x1, conv3x3

from facerec.backbones.base import Backbone, check_width
from facerec.errors import ConfigError

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
_SIDE = 7  # of the last stage's maps, for crops of 112 px


class IResNet(Backbone):
    """Blocks of two 3x3 convolutions with normalisation before, between and after, and a PReLU between.

    Parameters are named and shaped as in arcface_torch, so that its weights load here and ours load there. Depth 50
    is no bottleneck network: it has more blocks of two convolutions than depth 34.

    Args:
        depth: 18, 34, 50 or 100.
        embedding_dim: width of the last fully connected layer, 1 to 16384.

    Raises:
        ConfigError: there is no such network.
    """

    def __init__(self, depth: int, *, embedding_dim: int = 512) -> None:
        super().__init__()
        if depth not in _BLOCKS:
            raise ConfigError(f"backbone.depth must be one of {', '.join(map(str, _BLOCKS))}, not {depth!r}")
        check_width(embedding_dim)
        self.options = {"depth": depth, "embedding_dim": embedding_dim}
        self.out_features = embedding_dim
        self.conv1 = conv3x3(3, 64)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        first, second, third, fourth = _BLOCKS[depth]
        self.layer1 = _stage(64, 64, first)
        self.layer2 = _stage(64, 128, second)
        self.layer3 = _stage(128, 256, third)
        self.layer4 = _stage(256, 512, fourth)
        self.bn2 = nn.BatchNorm2d(512)
        self.fc = nn.Linear(512 * _SIDE**2, embedding_dim)
        self.features = nn.BatchNorm1d(embedding_dim)
        self.features.weight.requires_grad_(False)  # stays 1: cosines know no scale
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised crops `float [N, 3, 112, 112]` → features `float32 [N, embedding_dim]`."""
        x = self.prelu(self.bn1(self.conv1(x)))
        x = self.bn2(self.layer4(self.layer3(self.layer2(self.layer1(x)))))
        # bfloat16 would round away what sets features apart from their common mean
        with torch.autocast(x.device.type, enabled=False):
            features: Tensor = self.features(self.fc(x.to(self.fc.weight.dtype).flatten(1)))
        return features


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv3x3(inputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = conv3x3(outputs, outputs, stride)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs)) if stride > 1 else None
        )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.downsample(x) if self.downsample else x
        x = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        output: Tensor = self.bn3(self.conv2(x)) + shortcut
        return output


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    """The first block halves the side."""
    return nn.Sequential(_Block(inputs, outputs, 2), *(_Block(outputs, outputs, 1) for _ in range(blocks - 1)))
