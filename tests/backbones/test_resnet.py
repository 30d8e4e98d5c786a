import math

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from facerec.backbones import BACKBONES, ResNet
from facerec.errors import ConfigError

DEPTHS = (18, 34, 50)


def peer(depth: int, stem: str = "imagenet", embedding_dim: int = 16) -> torchvision.models.ResNet:
    """torchvision's network; for the face stem with its first convolution, pooling and stage exchanged."""
    network: torchvision.models.ResNet = getattr(torchvision.models, f"resnet{depth}")(num_classes=embedding_dim)
    if stem == "face":
        network.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
        network.maxpool = nn.Identity()
        network.inplanes = 64
        network.layer1 = network._make_layer(type(network.layer1[0]), 64, len(network.layer1), stride=2)
    return network


def pixels(side: int = 64) -> Tensor:
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("depth", DEPTHS)
def test_names_shapes_and_order_are_torchvisions(depth: int) -> None:
    ours = ResNet(depth, stem="imagenet", final_norm=False).state_dict()
    theirs = peer(depth, embedding_dim=128).state_dict()
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "stem"), [(18, "imagenet"), (34, "imagenet"), (50, "imagenet"), (18, "face"), (50, "face")]
)
def test_outputs_statistics_and_weights_equal_torchvisions_both_ways(depth: int, stem: str) -> None:
    side = 64 if stem == "imagenet" else 32
    ours, theirs = ResNet(depth, stem=stem, embedding_dim=16, final_norm=False), peer(depth, stem)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    torch.testing.assert_close(ours.train()(pixels(side)), theirs.train()(pixels(side)))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())  # the same step of every running statistic
    torch.testing.assert_close(ours.eval()(pixels(side)), theirs.eval()(pixels(side)))

    back = peer(depth, stem)
    back.load_state_dict(ours.state_dict(), strict=True)
    torch.testing.assert_close(back.eval()(pixels(side)), ours(pixels(side)))


def test_gradients_equal_torchvisions() -> None:
    ours, theirs = ResNet(18, stem="imagenet", embedding_dim=16, final_norm=False), peer(18)
    ours.load_state_dict(theirs.state_dict())
    for network in (ours, theirs):
        network(pixels()).square().sum().backward()
    expected = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    torch.testing.assert_close({name: parameter.grad for name, parameter in ours.named_parameters()}, expected)


@pytest.mark.parametrize(("stem", "sides"), [("face", [56, 28, 14, 7]), ("imagenet", [28, 14, 7, 4])])
@pytest.mark.parametrize(("depth", "channels"), [(18, [64, 128, 256, 512]), (50, [256, 512, 1024, 2048])])
def test_stages_see_these_shapes_at_112(depth: int, channels: list[int], stem: str, sides: list[int]) -> None:
    network, seen = ResNet(depth, stem=stem).eval(), []
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        stage.register_forward_hook(lambda _module, _inputs, output: seen.append(list(output.shape)))
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 112, 112)).shape == (1, 128)
    assert seen == [[1, channel, side, side] for channel, side in zip(channels, sides, strict=True)]


@pytest.mark.parametrize(("depth", "channels"), [(18, 512), (34, 512), (50, 2048)])
def test_without_fc_the_pooled_channels_are_the_output(depth: int, channels: int) -> None:
    ours, theirs = ResNet(depth, stem="imagenet", final_fc=False, final_norm=False), peer(depth)
    theirs.fc = nn.Identity()
    assert not any(name.startswith("fc") for name in ours.state_dict())
    assert ours.out_features == channels
    ours.load_state_dict(theirs.state_dict(), strict=True)
    output = ours.eval()(pixels())
    assert output.shape == (2, channels)
    torch.testing.assert_close(output, theirs.eval()(pixels()))


def test_final_relu_cuts_what_the_last_layer_gives() -> None:
    plain, cut = ResNet(18, stem="imagenet").eval(), ResNet(18, stem="imagenet", final_relu=True).eval()
    cut.load_state_dict(plain.state_dict())
    output = plain(pixels())
    assert (output < 0).any()
    torch.testing.assert_close(cut(pixels()), output.clamp(min=0))


def test_final_norm_has_no_parameters_and_gives_each_feature_mean_0_and_variance_1() -> None:
    plain, network = ResNet(18, stem="imagenet", final_norm=False), ResNet(18, stem="imagenet")
    assert [*dict(network.named_parameters())] == [*dict(plain.named_parameters())]
    network.load_state_dict(plain.state_dict(), strict=False)
    crops = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    features = plain(crops).double()
    expected = (features - features.mean(0)) / (features.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(network(crops).double(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("zero", [False, True])
def test_initial_weights_are_he_normal_over_fan_out(depth: int, zero: bool) -> None:
    torch.manual_seed(0)
    network = ResNet(depth, zero_init_residual=zero)
    last = "bn3" if depth == 50 else "bn2"
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] * module.kernel_size[1]
            samples = module.weight.numel()
            tolerance = 5 / math.sqrt(2 * samples)  # five standard errors of a standard deviation
            assert module.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=tolerance), name
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == (0 if zero and name.endswith(last) else 1)).all(), name
            assert (module.bias == 0).all(), name


@pytest.mark.slow
@given(
    depth=st.sampled_from(DEPTHS),
    embedding_dim=st.integers(1, 600),
    stem=st.sampled_from(["face", "imagenet"]),
    final_fc=st.booleans(),
    final_norm=st.booleans(),
    final_relu=st.booleans(),
)
@settings(deadline=None, max_examples=4)
def test_options_rebuild_the_network(
    depth: int,
    embedding_dim: int,
    stem: str,
    final_fc: bool,
    final_norm: bool,
    final_relu: bool,
) -> None:
    network = ResNet(
        depth,
        embedding_dim=embedding_dim,
        stem=stem,
        final_fc=final_fc,
        final_norm=final_norm,
        final_relu=final_relu,
    ).eval()
    again = BACKBONES["ResNet"](**network.options).eval()
    again.load_state_dict(network.state_dict(), strict=True)
    with torch.inference_mode():
        output = network(pixels(32))
        assert output.shape == (2, network.out_features)
        assert torch.equal(again(pixels(32)), output)
    assert again.options == network.options


@pytest.mark.parametrize(
    ("key", "value"), [("depth", 20), ("stem", "cifar"), ("embedding_dim", 0), ("embedding_dim", 10**9)]
)
def test_an_impossible_option_is_named(key: str, value: object) -> None:
    options: dict[str, object] = {"depth": 18, key: value}
    with pytest.raises(ConfigError, match=rf"backbone\.{key} .*{value}"):
        BACKBONES["ResNet"](**options)
