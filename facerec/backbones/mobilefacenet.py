"""MobileFaceNet (Chen et al., MobileFaceNets, arXiv 1804.07573)."""

from torch import Tensor, nn

from facerec.backbones.base import Backbone, check_width


class MobileFaceNet(Backbone):
    """A million parameters for crops of 112 px: inverted residuals, then one depthwise 7x7 filter for each channel.

    The network of the paper's table 1, whose parameters are named and shaped as FaceX-Zoo's, so that its weights
    load here: the stages repeat 4, 6 and 2 times, and the second layer has no pointwise part.

    Args:
        embedding_dim: width of the last fully connected layer, 1 to 16384.

    Raises:
        ConfigError: there is no such network.
    """

    def __init__(self, *, embedding_dim: int = 128) -> None:
        super().__init__()
        check_width(embedding_dim)
        self.options = {"embedding_dim": embedding_dim}
        self.out_features = embedding_dim
        self.conv1 = _Layer(3, 64, 3, stride=2)
        self.conv2_dw = _Layer(64, 64, 3, groups=64)
        self.conv_23 = _Bottleneck(64, 64, 128, stride=2)
        self.conv_3 = _Stage(64, 128, blocks=4)
        self.conv_34 = _Bottleneck(64, 128, 256, stride=2)
        self.conv_4 = _Stage(128, 256, blocks=6)
        self.conv_45 = _Bottleneck(128, 128, 512, stride=2)
        self.conv_5 = _Stage(128, 256, blocks=2)
        self.conv_6_sep = _Layer(128, 512, 1)
        self.conv_6_dw = _Layer(512, 512, 7, groups=512, padding=0, linear=True)
        self.linear = nn.Linear(512, embedding_dim, bias=False)
        self.bn = nn.BatchNorm1d(embedding_dim)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """Normalised crops `float [N, 3, 112, 112]` → features `float [N, embedding_dim]`."""
        x = self.conv_23(self.conv2_dw(self.conv1(x)))
        x = self.conv_45(self.conv_4(self.conv_34(self.conv_3(x))))
        x = self.conv_6_dw(self.conv_6_sep(self.conv_5(x)))
        features: Tensor = self.bn(self.linear(x.flatten(1)))
        return features


class _Layer(nn.Module):
    """Convolution and batch normalisation; PReLU unless `linear`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        padding: int | None = None,
        linear: bool = False,
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.prelu = nn.Identity() if linear else nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.prelu(self.bn(self.conv(x)))
        return output


class _Bottleneck(nn.Module):
    """Widen, filter each channel, narrow without activation."""

    def __init__(self, inputs: int, outputs: int, width: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = _Layer(inputs, width, 1)
        self.conv_dw = _Layer(width, width, 3, stride=stride, groups=width)
        self.project = _Layer(width, outputs, 1, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.project(self.conv_dw(self.conv(x)))
        return output


class _Stage(nn.Module):
    """Bottlenecks, each added to what it is given."""

    def __init__(self, channels: int, width: int, *, blocks: int) -> None:
        super().__init__()
        self.model = nn.ModuleList(_Bottleneck(channels, channels, width) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.model:
            x = x + block(x)
        return x
