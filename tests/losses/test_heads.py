"""What every head promises: prototypes, warm-up, state, errors, and a config that builds it."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig
from torch._dynamo.testing import CompileCounter

import facerec.losses
from facerec.errors import ConfigError
from facerec.job import CONFIG_DIR
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

LEAVES = sorted({file.stem for file in (CONFIG_DIR / "loss").glob("[!_]*.yaml")} - {"none"})
D, C, S = 8, 5, 16.0


def composed(leaf: str) -> DictConfig:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config: DictConfig = compose(f"loss/{leaf}").loss
    return config


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(20, D) * 3


@pytest.fixture
def labels() -> torch.Tensor:
    return torch.arange(20) % C


def test_prototypes_are_the_normalised_weights(
    make_head: Callable[..., Head], features: torch.Tensor, labels: torch.Tensor
) -> None:
    head = make_head(D, C)
    prototypes = head.prototypes
    assert prototypes.shape == head.weight.shape
    assert prototypes.dtype == head.double().prototypes.dtype == torch.float32
    assert not prototypes.requires_grad
    torch.testing.assert_close(prototypes.norm(dim=-1), torch.ones(prototypes.shape[:-1]))
    nearest = torch.einsum("nd,c...d->nc...", torch.nn.functional.normalize(features), prototypes)
    nearest = nearest.flatten(start_dim=2).amax(dim=2) if nearest.ndim == 3 else nearest
    torch.testing.assert_close(head.float()(features, labels).cosine, nearest)
    torch.testing.assert_close(head.cosine(features), nearest)


def test_a_class_turns_to_its_image_in_one_step(make_head: Callable[..., Head]) -> None:
    """Weights of unit length would keep most of their random direction."""
    head = make_head(D, C)
    image, label = torch.nn.functional.normalize(torch.randn(1, D)), torch.tensor([2])
    before = head.cosine(image)[0, 2]
    head(image, label).loss.backward()
    torch.optim.SGD(head.parameters(), lr=0.1).step()
    assert before < 0.7 < head.cosine(image)[0, 2]


def test_output_is_detached_from_nothing_but_the_cosine(
    make_head: Callable[..., Head], features: torch.Tensor, labels: torch.Tensor
) -> None:
    head = make_head(D, C)
    output = head(features, labels)
    assert output.loss.shape == ()
    assert output.loss.requires_grad
    assert output.cosine.shape == (20, C)
    assert not output.cosine.requires_grad
    output.loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


@pytest.mark.parametrize(
    "head",
    [
        SphereFace(D, C, m=1, scale=S),
        CosFace(D, C, m=0, scale=S),
        ArcFace(D, C, m=0, scale=S),
        Combined(D, C, m1=1, m2=0, m3=0, scale=S),
        AdaFace(D, C, m=0, scale=S),
    ],
    ids=lambda head: type(head).__name__,
)
def test_no_margin_is_normface(head: Head, features: torch.Tensor, labels: torch.Tensor) -> None:
    normface = NormFace(D, C, scale=S)
    normface.weight = head.weight
    poles = head.weight.detach()
    for x, y in [(features, labels), (poles, torch.arange(C)), (-poles, torch.arange(C))]:
        torch.testing.assert_close(head(x, y).loss, normface(x, y).loss, rtol=0, atol=1e-6)


def test_warm_up_factor(make_margin_head: Callable[..., Head]) -> None:
    head = make_margin_head(D, C, margin_warmup=4.0)
    assert head.margin_factor == 0
    for epoch, factor in [
        (-1.0, 0.0),
        (0.0, 0.0),
        (1.0, 0.25),
        (3.5, 0.875),
        (4.0, 1.0),
        (9.0, 1.0),
        (2.0, 0.5),
    ]:
        head.set_progress(epoch)
        assert head.margin_factor == factor


def test_no_warm_up_means_the_whole_margin_at_once(make_margin_head: Callable[..., Head]) -> None:
    head = make_margin_head(D, C)
    assert head.margin_factor == 1
    head.set_progress(0.0)
    assert head.margin_factor == 1


@pytest.mark.parametrize(
    ("make", "full", "quarter"),
    [
        (SphereFace, {"m": 3.0}, {"m": 1.5}),
        (CosFace, {"m": 0.4}, {"m": 0.1}),
        (ArcFace, {"m": 0.8}, {"m": 0.2}),
        (SubCenterArcFace, {"m": 0.8}, {"m": 0.2}),
        (Combined, {"m1": 1.8, "m2": 0.4, "m3": 0.2}, {"m1": 1.2, "m2": 0.1, "m3": 0.05}),
        (AdaFace, {"m": 0.4}, {"m": 0.1}),
    ],
)
def test_warm_up_scales_every_margin(
    make: Callable[..., Head],
    full: dict[str, float],
    quarter: dict[str, float],
    features: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    warming = make(D, C, scale=S, margin_warmup=4.0, **full)
    settled = make(D, C, scale=S, **(quarter if make is not SphereFace else {"m": 1 + (full["m"] - 1) / 4}))
    settled.load_state_dict(warming.state_dict())
    warming.set_progress(1.0)
    torch.testing.assert_close(warming(features, labels).loss, settled(features, labels).loss)


def test_state_holds_what_training_learned(make_head: Callable[..., Head]) -> None:
    head = make_head(D, C)
    extra = {Softmax: {"bias"}, AdaFace: {"norm_mean", "norm_std"}}.get(type(head), set())
    assert set(head.state_dict()) == {"weight"} | extra


def test_adaface_learns_norms_only_in_training(features: torch.Tensor, labels: torch.Tensor) -> None:
    head = AdaFace(D, C, m=0.4, scale=S)
    head.eval()(features, labels)
    head.train()(features[:1], labels[:1])  # one norm has no spread
    assert [buffer.item() for buffer in head.buffers()] == [20, 100]
    head(features, labels)
    assert head.norm_mean < 20
    assert head.norm_std < 100


@pytest.mark.parametrize(
    ("make", "options", "key"),
    [
        (Softmax, {"embedding_dim": 0}, "embedding_dim"),
        (Softmax, {"num_classes": 1}, "num_classes"),
        (NormFace, {"scale": 0.0}, "scale"),
        (NormFace, {"scale": -1.0}, "scale"),
        (NormFace, {"scale": math.nan}, "scale"),
        (NormFace, {"scale": math.inf}, "scale"),
        (ArcFace, {"m": 0.5, "scale": S, "margin_warmup": -1.0}, "margin_warmup"),
        (ArcFace, {"m": 28.6, "scale": S}, "m"),  # degrees
        (ArcFace, {"m": -0.1, "scale": S}, "m"),
        (ArcFace, {"m": math.nan, "scale": S}, "m"),
        (CosFace, {"m": 1.1, "scale": S}, "m"),
        (CosFace, {"m": -0.1, "scale": S}, "m"),
        (SphereFace, {"m": 0.9, "scale": S}, "m"),
        (SphereFace, {"m": math.inf, "scale": S}, "m"),
        (Combined, {"m1": 0.0, "m2": 0.0, "m3": 0.0, "scale": S}, "m1"),
        (Combined, {"m1": 1.0, "m2": -0.1, "m3": 0.0, "scale": S}, "m2"),
        (Combined, {"m1": 1.0, "m2": 0.0, "m3": 2.0, "scale": S}, "m3"),
        (AdaFace, {"m": -0.4, "scale": S}, "m"),
        (AdaFace, {"m": 0.4, "h": -1.0, "scale": S}, "h"),
        (AdaFace, {"m": 0.4, "momentum": 0.0, "scale": S}, "momentum"),
        (SubCenterArcFace, {"m": 0.5, "centers": 0, "scale": S}, "centers"),
    ],
)
def test_errors_name_the_key(make: Callable[..., Head], options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"loss\.{key} .*not "):
        make(**{"embedding_dim": D, "num_classes": C, **options})


@pytest.mark.parametrize("leaf", LEAVES)
def test_config_builds_a_head_that_learns(leaf: str, labels: torch.Tensor) -> None:
    config = composed(leaf)
    torch.manual_seed(0)
    head = instantiate(config, embedding_dim=D, num_classes=C).eval()
    features = (torch.eye(D)[labels] + 0.1 * torch.randn(20, D)).requires_grad_()
    optimizer = torch.optim.SGD([features, *head.parameters()], lr=1e-3)
    before = head(features, labels).loss
    before.backward()
    optimizer.step()
    assert head(features, labels).loss < before


@pytest.mark.parametrize("leaf", LEAVES)
def test_config_names_every_option(leaf: str) -> None:
    config = composed(leaf)
    signature = inspect.signature(get_class(config["_target_"]), eval_str=True).parameters
    shared = signature["options"].annotation.__args__[0].__annotations__
    assert {"_target_", *signature, *shared} - {"embedding_dim", "num_classes", "options"} == set(config)


def test_every_head_has_a_config() -> None:
    targets = {composed(leaf)["_target_"].rpartition(".")[2] for leaf in LEAVES}
    assert targets == set(facerec.losses.__all__) - {"Head", "HeadOutput", "MarginHead", "no_head"}


def test_it_is_compiled_twice_at_most_while_its_margin_grows(
    make_head: Callable[..., Head], features: torch.Tensor, labels: torch.Tensor
) -> None:
    torch._dynamo.reset()
    plain, compiled = make_head(D, C), make_head(D, C)
    compiled.load_state_dict(plain.state_dict())
    compiled.compile(backend=(counter := CompileCounter()), fullgraph=True)
    for step in range(12):
        for head in (plain, compiled):
            head.margin_warmup = 1.0  # type: ignore[assignment]
            head.set_progress(step / 8)
        torch.testing.assert_close(compiled(features, labels).loss, plain(features, labels).loss)
    assert counter.frame_count in (1, 2)
