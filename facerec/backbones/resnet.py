"""ResNet-18, 34 and 50 (He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, conv1x1, conv3x3

from facerec.backbones.base import Backbone, check_width
from facerec.errors import ConfigError

_STAGES: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


class ResNet(Backbone):
    """A residual network of torchvision's blocks, whose parameters are named and shaped as torchvision's.

    With the ImageNet stem, weights of torchvision's `resnet18/34/50(num_classes=embedding_dim)` load here
    and ours load there. At 112 px that stem leaves 28, 14, 7 and 4 px to the four stages; the face stem
    leaves 56, 28, 14 and 7, as in the ArcFace models (arXiv 1801.07698), for nearly four times the arithmetic.

    Args:
        depth: 18, 34 or 50.
        embedding_dim: width of the last fully connected layer, 1 to 16384; without that layer it decides nothing,
            and `out_features` is the truth.
        stem: "face": 3x3 convolution of stride 1, no pooling, and the first stage halves the side;
            "imagenet": 7x7 convolution of stride 2, then 3x3 max pooling of stride 2.
        final_fc: end in a fully connected layer; without it the features are the 512 (depth 50: 2048)
            averaged channels of the last stage.
        final_norm: batch normalisation, without scale and shift, of the features (the end of option E of
            arXiv 1801.07698, section 3.2.2). Without it all features share a large mean, and their angles are
            small.
        final_relu: ReLU after the last layer, so that no feature is negative.
        zero_init_residual: each block begins as its shortcut, with 0 for the last weights of its residual branch
            (Goyal et al., arXiv 1706.02677, section 5.1). Without it depth 50 hardly learns. Depths 18 and 34
            learn faster without it in short runs, since these weights take steps to grow; in a long run depth 34
            learned more with it.

    Raises:
        ConfigError: an option has a value there is no network for.
    """

    any_size = True
    initial = ("zero_init_residual",)

    def __init__(
        self,
        depth: int,
        *,
        embedding_dim: int = 128,
        stem: str = "face",
        final_fc: bool = True,
        final_norm: bool = True,
        final_relu: bool = False,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        if depth not in _STAGES:
            raise ConfigError(f"backbone.depth must be one of {', '.join(map(str, _STAGES))}, not {depth!r}")
        if stem not in ("face", "imagenet"):
            raise ConfigError(f"backbone.stem must be 'face' or 'imagenet', not {stem!r}")
        check_width(embedding_dim)
        self.options = {
            "depth": depth,
            "embedding_dim": embedding_dim,
            "stem": stem,
            "final_fc": final_fc,
            "final_norm": final_norm,
            "final_relu": final_relu,
        }
        imagenet = stem == "imagenet"
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False) if imagenet else conv3x3(3, 64)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if imagenet else nn.Identity()
        block, (first, second, third, fourth) = _STAGES[depth]
        self.layer1 = _stage(block, 64, 64, first, stride=1 if imagenet else 2)
        self.layer2 = _stage(block, 64 * block.expansion, 128, second)
        self.layer3 = _stage(block, 128 * block.expansion, 256, third)
        self.layer4 = _stage(block, 256 * block.expansion, 512, fourth)
        channels = 512 * block.expansion
        self.fc = nn.Linear(channels, embedding_dim) if final_fc else nn.Identity()
        self.out_features = embedding_dim if final_fc else channels
        self.norm = nn.BatchNorm1d(self.out_features, affine=False) if final_norm else nn.Identity()
        self.final_relu = final_relu
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, BasicBlock | Bottleneck):
                last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised crops `float [N, 3, H, W]` → features `float32 [N, out_features]`."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.maxpool(x)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        # bfloat16 would round away what sets features apart from their common mean
        with torch.autocast(x.device.type, enabled=False):
            x = F.adaptive_avg_pool2d(x.to(self.conv1.weight.dtype), 1).flatten(1)
            x = self.norm(self.fc(x))
        return F.relu(x) if self.final_relu else x


def _stage(
    block: type[BasicBlock] | type[Bottleneck], inputs: int, width: int, blocks: int, stride: int = 2
) -> nn.Sequential:
    """The first block strides; its shortcut is a projection (the paper's option B) where shapes differ."""
    outputs = width * block.expansion
    projection = None
    if stride != 1 or inputs != outputs:
        projection = nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))
    following = (block(outputs, width) for _ in range(blocks - 1))
    return nn.Sequential(block(inputs, width, stride, projection), *following)
