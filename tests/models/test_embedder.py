import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from facerec.backbones import Backbone, ResNet
from facerec.models.embedder import Embedder

MEAN, STD = (131.04, 103.55, 90.91), (75.3, 68.2, 67.9)


class Pixels(Backbone):
    """Hands on every value it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.options, self.out_features = {}, 3 * 112 * 112

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class Small(Backbone):
    """A convolution, a batch normalisation, dropout and a fully connected layer."""

    def __init__(self) -> None:
        super().__init__()
        self.options, self.out_features = {}, 5
        parts = [
            nn.Conv2d(3, 4, 9, stride=9),
            nn.BatchNorm2d(4),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(),
        ]
        self.layers = nn.Sequential(*parts, nn.Linear(16, 5))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features


def crops(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 112, 112), dtype=np.uint8)


@pytest.fixture(scope="module")
def small() -> Embedder:
    torch.manual_seed(0)
    return Embedder(Small(), MEAN, STD)


@pytest.fixture(scope="module")
def resnet() -> Embedder:
    torch.manual_seed(0)
    return Embedder(ResNet(18, stem="imagenet"), MEAN, STD).eval()


def test_normalisation_equals_its_formula_in_float64() -> None:
    images = crops(2)
    images[0, :, 0, :2] = [[0, 255]] * 3
    expected = (images.astype(np.float64) - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    features = Embedder(Pixels(), MEAN, STD).features(torch.from_numpy(images))
    assert features.dtype == torch.float32
    np.testing.assert_allclose(features.numpy(), expected.reshape(2, -1), rtol=2e-6, atol=2e-6)


def test_embeddings_are_features_on_the_unit_sphere(resnet: Embedder) -> None:
    images = torch.from_numpy(crops(3))
    with torch.inference_mode():
        features, embeddings = resnet.features(images).numpy().astype(np.float64), resnet(images)
    assert embeddings.dtype == torch.float32
    assert embeddings.shape == (3, resnet.embedding_dim) == (3, 128)
    expected = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(embeddings.numpy(), expected, atol=1e-6)


def test_features_of_zero_become_the_diagonal() -> None:
    embedder = Embedder(ResNet(18, stem="imagenet", embedding_dim=4, final_relu=True), MEAN, STD).eval()
    assert isinstance(embedder.backbone, ResNet)
    assert isinstance(embedder.backbone.fc, nn.Linear)
    nn.init.constant_(embedder.backbone.fc.bias, -1e6)
    images = torch.from_numpy(crops(2))
    assert (embedder.features(images) == 0).all()
    embeddings = embedder(images)
    torch.testing.assert_close(embeddings, torch.full((2, 4), 0.5))
    embeddings.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in embedder.parameters() if parameter.grad is not None)


def test_embeddings_are_float32_and_unit_under_autocast(small: Embedder) -> None:
    images = torch.from_numpy(crops(3))
    with torch.autocast("cpu", torch.bfloat16):
        assert small.features(images).dtype == torch.bfloat16
        embeddings = small(images)
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


def test_a_channels_last_backbone_stays_channels_last(resnet: Embedder) -> None:
    other = Embedder(ResNet(18, stem="imagenet"), MEAN, STD).eval()
    other.load_state_dict(resnet.state_dict())
    other.to(memory_format=torch.channels_last)
    assert isinstance(other.backbone, ResNet)
    layouts = []
    for stage in (other.backbone.conv1, other.backbone.layer4):
        stage.register_forward_hook(
            lambda _module, _inputs, output: layouts.append(output.is_contiguous(memory_format=torch.channels_last))
        )
    np.testing.assert_allclose(other.embed(crops(2)), resnet.embed(crops(2)), atol=1e-5, rtol=0)
    assert layouts == [True, True]


@given(count=st.integers(0, 9), batch_size=st.integers(1, 12), as_tensor=st.booleans())
@settings(deadline=None, max_examples=30)
def test_batches_do_not_change_embeddings(count: int, batch_size: int, as_tensor: bool) -> None:
    torch.manual_seed(0)
    embedder = Embedder(Small(), MEAN, STD).eval()
    images = crops(count)
    with torch.no_grad():
        expected = torch.stack([embedder(torch.from_numpy(image[None]))[0] for image in images]) if count else None
    embeddings = embedder.embed(torch.from_numpy(images) if as_tensor else images, batch_size)
    assert embeddings.shape == (count, 5)
    assert embeddings.dtype == np.float32
    if expected is not None:
        np.testing.assert_allclose(embeddings, expected, atol=1e-6, rtol=0)


def test_a_resnet_embeds_a_crop_alike_in_every_batch(resnet: Embedder) -> None:
    images = crops(5)
    np.testing.assert_allclose(resnet.embed(images, 2), resnet.embed(images), atol=1e-5, rtol=0)


def test_one_crop_is_a_batch_of_one(small: Embedder) -> None:
    image = crops(1)
    assert np.array_equal(small.embed(image[0]), small.embed(image))
    assert small.embed(torch.from_numpy(image[0])).shape == (1, 5)


def test_embed_leaves_modes_and_running_statistics_alone() -> None:
    embedder = Embedder(Small(), MEAN, STD).train()
    batch_norm = next(module for module in embedder.modules() if isinstance(module, nn.BatchNorm2d))
    batch_norm.eval()  # frozen, as in fine-tuning
    modes = [module.training for module in embedder.modules()]
    before = {name: value.clone() for name, value in embedder.state_dict().items()}
    assert np.array_equal(embedder.embed(crops(4)), embedder.embed(crops(4)))  # no dropout
    assert [module.training for module in embedder.modules()] == modes
    torch.testing.assert_close(embedder.state_dict(), before, rtol=0, atol=0)


def test_embed_restores_modes_after_an_error() -> None:
    embedder = Embedder(Small(), MEAN, STD).train()
    assert isinstance(embedder.backbone, Small)
    embedder.backbone.layers[5] = nn.Linear(3, 5)  # does not fit
    with pytest.raises(RuntimeError):
        embedder.embed(crops(1))
    assert all(module.training for module in embedder.modules())


def test_embeddings_can_be_trained_on(small: Embedder) -> None:
    classifier = nn.Linear(5, 2)
    embeddings = torch.from_numpy(small.embed(crops(3)))
    classifier(embeddings).sum().backward()  # an inference tensor would be refused here
    assert classifier.weight.grad is not None


def test_read_only_memory_maps_and_flipped_colours_are_read_as_they_are(tmp_path: Path, small: Embedder) -> None:
    images = crops(3)
    np.save(tmp_path / "crops.npy", images[:, ::-1])
    bgr = np.load(tmp_path / "crops.npy", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(small.embed(bgr[:, ::-1], 2), small.embed(images, 2), rtol=0, atol=0)


def wrong_crops() -> Iterator[tuple[Tensor, str]]:
    yield torch.zeros(2, 3, 112, 112), "uint8.*float32"
    yield torch.zeros(2, 3, 112, 112, dtype=torch.int64), "uint8.*int64"
    yield torch.zeros(2, 1, 112, 112, dtype=torch.uint8), r"112\].*\[2, 1, 112, 112\]"
    yield torch.zeros(2, 112, 112, 3, dtype=torch.uint8), r"112\].*\[2, 112, 112, 3\]"
    yield torch.zeros(2, 3, 96, 112, dtype=torch.uint8), r"112\].*\[2, 3, 96, 112\]"
    yield torch.zeros(3 * 112 * 112, dtype=torch.uint8), r"112\].*\[37632\]"


@pytest.mark.parametrize(("images", "message"), list(wrong_crops()))
def test_anything_but_uint8_crops_is_refused_by_every_door(small: Embedder, images: Tensor, message: str) -> None:
    for embed in (small, small.features, small.embed, lambda crops: small.embed(crops.numpy())):
        with pytest.raises(ValueError, match=message):
            embed(images)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_size_below_one_is_refused(small: Embedder, batch_size: int) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        small.embed(crops(1), batch_size)


@pytest.mark.parametrize(("mean", "std"), [(MEAN[:2], STD), (MEAN, STD[:1]), (MEAN, (1.0, 0.0, 1.0))])
def test_statistics_that_cannot_normalise_are_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="mean and std"):
        Embedder(Small(), mean, std)


@pytest.mark.filterwarnings("ignore")
def test_it_compiles_without_graph_breaks(small: Embedder) -> None:
    images = torch.from_numpy(crops(2))
    small.eval()
    compiled = torch.compile(small, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(images), small(images))
