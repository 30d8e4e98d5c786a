"""Full precision and finite gradients, whatever comes in."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from facerec.losses import Head

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
C, D = 4, 128


def at_the_poles(head: Head) -> tuple[Tensor, Tensor]:
    """Features equal and opposite to weights; every class is the target of both."""
    with torch.no_grad():
        centre = F.normalize(head.weight.flatten(end_dim=-2)[:: head.weight.numel() // (C * D)], dim=1)
    features = torch.cat([centre, -centre, 20 * centre, -20 * centre])
    return features, torch.arange(C).repeat(4)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("exact", [False, True])
def test_poles_are_finite(make_head: Callable[..., Head], dtype: torch.dtype, autocast: bool, exact: bool) -> None:
    head = make_head(D, C)
    if exact:  # rounding can't take these cosines off ±1
        with torch.no_grad():
            head.weight.copy_(torch.eye(C, D).view(C, *[1] * (head.weight.ndim - 2), D))
    features, labels = at_the_poles(head)
    features = features.to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss, cosine, _ = head(features, labels)
    loss.backward()
    assert loss.dtype == cosine.dtype == torch.float32
    if exact:
        assert cosine.max() == 1
        assert cosine.min() == -1
    assert torch.isfinite(loss)
    for gradient in (features.grad, head.weight.grad):
        assert gradient is not None
        assert gradient.abs().max() < 100  # finite, and not blown up by the slope of acos


@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_features_have_no_direction(make_head: Callable[..., Head], dtype: torch.dtype) -> None:
    head = make_head(D, C)
    features = torch.zeros(C, D, dtype=dtype, requires_grad=True)
    loss, cosine, _ = head(features, torch.arange(C))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.equal(cosine, torch.zeros(C, C))
    for gradient in (features.grad, head.weight.grad):
        assert gradient is not None
        assert gradient.abs().max() < 10


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_float32_inside(make_head: Callable[..., Head], dtype: torch.dtype) -> None:
    head = make_head(D, C).eval()
    features, labels = torch.randn(8, D, dtype=dtype), torch.arange(8) % C
    plain = head(features.float(), labels)
    with torch.autocast("cpu", dtype):
        cast = head(features, labels)
        cosine = head.cosine(features)
    assert torch.equal(cast.loss, plain.loss)
    assert torch.equal(cast.cosine, plain.cosine)
    assert torch.equal(cosine, plain.cosine)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_of_half_precision(make_head: Callable[..., Head], dtype: torch.dtype) -> None:
    head = make_head(D, C).to(dtype)
    features, labels = torch.randn(8, D, dtype=dtype), torch.arange(8) % C
    loss, cosine, _ = head(features, labels)
    loss.backward()
    assert loss.dtype == cosine.dtype == head.prototypes.dtype == torch.float32
    assert head.weight.grad is not None
    assert torch.isfinite(head.weight.grad).all()


def test_gradient_is_that_of_the_loss(make_head: Callable[..., Head]) -> None:
    head = make_head(5, 3).double().eval()
    head.weight.data *= 100  # so that the steps of numerical differentiation are small beside it
    features = torch.randn(6, 5, dtype=torch.float64)
    # AdaFace holds its norms constant, so only those that saturate its clip can be differentiated numerically
    features = F.normalize(features) * torch.tensor([0.5, 500.0, 0.5, 500.0, 0.5, 500.0])[:, None]
    for name, statistic in head.named_buffers():
        statistic.fill_({"norm_mean": 50.0, "norm_std": 1.0}[name])
    labels = torch.tensor([0, 1, 2, 0, 1, 2])

    def loss(features: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip(dict(head.named_parameters()), parameters, strict=True))
        value: Tensor = torch.func.functional_call(head, named, (features, labels)).loss
        return value

    torch.autograd.gradcheck(loss, (features.requires_grad_(), *head.parameters()))


def test_length_gets_no_gradient(make_margin_head: Callable[..., Head]) -> None:
    """A head on cosines can't be fooled by long vectors: its gradient is at right angles to them."""
    head = make_margin_head(D, C).double()
    features = (torch.randn(8, D, dtype=torch.float64) * 3).requires_grad_()
    head(features, torch.arange(8) % C).loss.backward()
    assert features.grad is not None
    radial = (features.grad * features).sum(1)
    torch.testing.assert_close(radial, torch.zeros_like(radial), rtol=0, atol=1e-12)
    assert features.grad.norm(dim=1).min() > 1e-4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU with CUDA")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gpu_equals_cpu(make_head: Callable[..., Head], dtype: torch.dtype) -> None:
    head = make_head(D, C).eval()
    features, labels = torch.randn(8, D, dtype=dtype), torch.arange(8) % C
    on_cpu = head(features, labels)
    head.cuda()
    with torch.autocast("cuda", dtype):
        on_gpu = head(features.cuda(), labels.cuda())
    torch.testing.assert_close(on_gpu.loss.cpu(), on_cpu.loss, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(on_gpu.cosine.cpu(), on_cpu.cosine, rtol=0, atol=1e-6)
