import pytest
import torch
from torch import nn

from facerec.backbones import MobileFaceNet
from facerec.errors import ConfigError


def test_it_is_the_network_of_the_paper() -> None:
    """Table 1 of arXiv 1804.07573: sizes of what each stage gives, and 0.99 million parameters with 128 numbers."""
    network = MobileFaceNet(embedding_dim=128)
    shapes = {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda _, __, output, name=name: shapes.update({name: tuple(output.shape[1:])})
        )
    network.eval()(torch.randn(2, 3, 112, 112))
    assert list(shapes.values()) == [
        *((64, 56, 56), (64, 56, 56)),
        *((64, 28, 28), (64, 28, 28)),
        *((128, 14, 14), (128, 14, 14)),
        *((128, 7, 7), (128, 7, 7)),
        *((512, 7, 7), (512, 1, 1)),
        *((128,), (128,)),
    ]
    # the paper's 7x7 layer is followed by a linear convolution of 1x1; it counts PReLU and normalisation, as we do
    assert 0.95e6 < sum(weight.numel() for weight in network.parameters()) < 1.05e6


def test_the_blocks_of_a_stage_begin_and_end_at_what_they_are_given() -> None:
    network = MobileFaceNet(embedding_dim=8).eval()
    block = network.conv_3.model[0]
    assert isinstance(block.project.prelu, nn.Identity)
    x = torch.randn(2, 64, 28, 28)
    for module in network.conv_3.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
    torch.testing.assert_close(network.conv_3(x), x)


@pytest.mark.parametrize("dim", [0, -1, 10**6])
def test_a_width_that_no_network_has_is_refused(dim: int) -> None:
    with pytest.raises(ConfigError, match=r"backbone\.embedding_dim"):
        MobileFaceNet(embedding_dim=dim)
