from collections.abc import Callable
from functools import partial

import pytest
import torch

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

WITHOUT_MARGIN: dict[str, Callable[..., Head]] = {
    "softmax": Softmax,
    "normface": partial(NormFace, scale=16.0),
}
WITH_MARGIN: dict[str, Callable[..., Head]] = {
    "sphereface": partial(SphereFace, m=1.7, scale=16.0),
    "cosface": partial(CosFace, m=0.35, scale=16.0),
    "arcface": partial(ArcFace, m=0.5, scale=16.0),
    "combined": partial(Combined, m1=1.2, m2=0.3, m3=0.2, scale=16.0),
    "adaface": partial(AdaFace, m=0.4, h=0.333, momentum=0.01, scale=16.0),
    "subcenter": partial(SubCenterArcFace, centers=3, m=0.5, scale=16.0),
}
ALL = WITHOUT_MARGIN | WITH_MARGIN


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def all_heads() -> list[Callable[..., Head]]:
    """All heads at once, each called with embedding_dim and num_classes; they go to another process, too."""
    return list(ALL.values())


@pytest.fixture(params=list(ALL.values()), ids=list(ALL))
def make_head(request: pytest.FixtureRequest) -> Callable[..., Head]:
    """Each head in turn, called with embedding_dim and num_classes."""
    make: Callable[..., Head] = request.param
    return make


@pytest.fixture(params=list(WITH_MARGIN.values()), ids=list(WITH_MARGIN))
def make_margin_head(request: pytest.FixtureRequest) -> Callable[..., Head]:
    """Each head with a margin in turn."""
    make: Callable[..., Head] = request.param
    return make
