"""Each head against its paper's formula in float64 numpy."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facerec.losses import (
    AdaFace,
    ArcFace,
    Combined,
    CosFace,
    Head,
    NormFace,
    Softmax,
    SphereFace,
    SubCenterArcFace,
)

Array = NDArray[np.float64]
N, C, D = 32, 7, 6


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(N, D) * torch.rand(N, 1).mul(40)


@pytest.fixture
def labels() -> torch.Tensor:
    return torch.randint(C, (N,))


def falling_cosine(phi: Array) -> Array:
    """1 minus the area under |sin| from 0 to phi."""
    half_turns, rest = np.divmod(phi, np.pi)
    falling: Array = 1 - 2 * half_turns - (1 - np.cos(rest))
    return falling


def cross_entropy(logits: Array, target: NDArray[np.int64]) -> float:
    return float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(target)), target]).mean())


def cosines(head: Head, features: torch.Tensor) -> Array:
    weight, x = head.weight.detach().double().numpy(), features.double().numpy()
    weight = weight / np.linalg.norm(weight, axis=-1, keepdims=True)
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    cosine: Array = np.tensordot(x, weight, axes=(1, -1))
    return cosine if cosine.ndim == 2 else cosine.max(axis=2)


def expected(cosine: Array, labels: torch.Tensor, scale: float, margin: Callable[[Array], Array]) -> float:
    rows, target = np.arange(len(labels)), labels.numpy()
    logits = cosine.copy()
    logits[rows, target] = margin(np.arccos(cosine[rows, target].clip(-1, 1)))  # rounding may leave the range
    return cross_entropy(scale * logits, target)


@pytest.mark.parametrize(
    ("head", "margin"),
    [
        (NormFace(D, C, scale=20.0), np.cos),
        (CosFace(D, C, m=0.35, scale=20.0), lambda theta: np.cos(theta) - 0.35),
        (ArcFace(D, C, m=0.5, scale=20.0), lambda theta: falling_cosine(theta + 0.5)),
        (SphereFace(D, C, m=1.7, scale=20.0), lambda theta: falling_cosine(1.7 * theta)),
        (SphereFace(D, C, m=4, scale=20.0), lambda theta: falling_cosine(4 * theta)),
        (Combined(D, C, m1=1, m2=0.3, m3=0.2, scale=20.0), lambda theta: falling_cosine(theta + 0.3) - 0.2),
        (
            Combined(D, C, m1=0.9, m2=0.4, m3=0.15, scale=20.0),
            lambda theta: falling_cosine(0.9 * theta + 0.4) - 0.15,
        ),
        (
            Combined(D, C, m1=2.5, m2=0.4, m3=0.1, scale=20.0),
            lambda theta: falling_cosine(2.5 * theta + 0.4) - 0.1,
        ),
        (SubCenterArcFace(D, C, centers=4, m=0.5, scale=20.0), lambda theta: falling_cosine(theta + 0.5)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Head) else "",
)
def test_margin(head: Head, margin: Callable[[Array], Array], features: torch.Tensor, labels: torch.Tensor) -> None:
    output = head(features, labels)
    cosine = cosines(head, features)
    np.testing.assert_allclose(output.cosine, cosine, atol=1e-6)
    assert output.loss.item() == pytest.approx(expected(cosine, labels, 20.0, margin), rel=1e-5)


def test_softmax(features: torch.Tensor, labels: torch.Tensor) -> None:
    head = Softmax(D, C)
    torch.nn.init.normal_(head.bias)
    logits = (features @ head.weight.T + head.bias).detach().double().numpy()
    output = head(features, labels)
    assert output.loss.item() == pytest.approx(cross_entropy(logits, labels.numpy()), rel=1e-5)
    np.testing.assert_allclose(output.cosine, cosines(head, features), atol=1e-6)


def test_combined_is_combined(features: torch.Tensor, labels: torch.Tensor) -> None:
    both = Combined(D, C, m1=1, m2=0.3, m3=0.2, scale=20.0)
    for m2, m3 in [(0.0, 0.2), (0.3, 0.0)]:
        one = Combined(D, C, m1=1, m2=m2, m3=m3, scale=20.0)
        one.load_state_dict(both.state_dict())
        assert both(features, labels).loss > one(features, labels).loss + 0.5


def test_adaface(labels: torch.Tensor) -> None:
    head = AdaFace(D, C, m=0.4, h=0.333, momentum=0.3, scale=20.0)
    mean, std = 20.0, 100.0
    for _ in range(8):
        features = torch.randn(N, D) * torch.rand(N, 1).mul(60)
        norms = np.clip(np.linalg.norm(features.double().numpy(), axis=1), 1e-3, 100)
        mean, std = mean + 0.3 * (norms.mean() - mean), std + 0.3 * (norms.std(ddof=1) - std)
        quality = np.clip(0.333 * (norms - mean) / (std + 1e-3), -1, 1)

        def margin(theta: Array, quality: Array = quality) -> Array:
            return np.cos(np.clip(theta - 0.4 * quality, 0, np.pi)) - (0.4 + 0.4 * quality)

        loss = head(features, labels).loss
        assert loss.item() == pytest.approx(expected(cosines(head, features), labels, 20.0, margin), rel=1e-5)
    assert head.norm_mean.item() == pytest.approx(mean, rel=1e-5)
    assert head.norm_std.item() == pytest.approx(std, rel=1e-5)


@pytest.mark.parametrize(("mean", "alike"), [(1e4, ArcFace), (-1e4, None)])
def test_adaface_at_either_end(mean: float, alike: type[ArcFace] | None, labels: torch.Tensor) -> None:
    """Poor images get ArcFace's margin; good ones gain an angle of m and lose 2m of cosine."""
    head = AdaFace(D, C, m=0.4, h=0.333, scale=20.0).eval()
    head.norm_mean.fill_(mean)
    features = torch.nn.functional.normalize(torch.randn(N, D)) * 10
    cosine = cosines(head, features)
    keep = (np.abs(np.arccos(cosine[np.arange(N), labels]) - np.pi / 2) < np.pi / 2 - 0.4).nonzero()[0]
    features, labels, cosine = features[keep], labels[keep], cosine[keep]
    loss = head(features, labels).loss.item()
    if alike:
        arcface = alike(D, C, m=0.4, scale=20.0)
        arcface.weight = head.weight
        assert loss == pytest.approx(arcface(features, labels).loss.item(), rel=1e-5)
    else:
        assert loss == pytest.approx(
            expected(cosine, labels, 20.0, lambda theta: np.cos(theta - 0.4) - 0.8), rel=1e-5
        )


@pytest.mark.parametrize(("mean", "side"), [(-1e4, 1.0), (1e4, -1.0)])
def test_adaface_keeps_the_angle_between_0_and_pi(mean: float, side: float) -> None:
    head, labels = AdaFace(D, C, m=0.4, h=0.333, scale=20.0).eval(), torch.arange(C)
    head.norm_mean.fill_(mean)
    features = side * head.weight.detach()
    quality = -np.sign(mean)
    loss = expected(cosines(head, features), labels, 20.0, lambda _: np.array(side - 0.4 - 0.4 * quality))
    assert head(features, labels).loss.item() == pytest.approx(loss, rel=1e-5)


def test_adaface_without_h_is_cosface(features: torch.Tensor, labels: torch.Tensor) -> None:
    head, cosface = AdaFace(D, C, m=0.4, h=0.0, scale=20.0), CosFace(D, C, m=0.4, scale=20.0)
    cosface.weight = head.weight
    torch.testing.assert_close(head(features, labels).loss, cosface(features, labels).loss)


def test_one_centre_is_arcface(features: torch.Tensor, labels: torch.Tensor) -> None:
    head = SubCenterArcFace(D, C, centers=1, m=0.5, scale=20.0)
    arcface = ArcFace(D, C, m=0.5, scale=20.0)
    arcface.weight = torch.nn.Parameter(head.weight.detach().squeeze(1))
    torch.testing.assert_close(head(features, labels), arcface(features, labels))


@pytest.mark.parametrize(
    ("classes", "scale"), [(2, 1.0), (3, 1.0), (5, math.sqrt(2) * math.log(4)), (10_000, 13.0254)]
)
def test_scale_of_adacos(classes: int, scale: float) -> None:
    assert NormFace(D, classes, scale=None).scale == pytest.approx(scale, rel=1e-4)
