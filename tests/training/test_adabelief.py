"""AdaBelief beside its paper and the package it comes from."""

from copy import deepcopy
from typing import Any

import adabelief_pytorch
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from facerec.training import AdaBelief
from facerec.training.adabelief import PIECE

OPTIONS = {"weight_decouple": False, "rectify": False, "print_change_log": False}


def test_adabelief_is_the_papers() -> None:
    """Algorithm 2 of arXiv 2010.07468 with bias correction, in float64; eps is added to the variance each step."""
    start = np.random.default_rng(0).normal(size=5)
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = AdaBelief([parameter], lr=1e-2, eps=1e-8, **OPTIONS)
    x, mean, variance = start.copy(), np.zeros(5), np.zeros(5)
    for step in range(1, 30):
        optimizer.zero_grad()
        (parameter.sin() * parameter).sum().backward()
        optimizer.step()
        gradient = np.cos(x) * x + np.sin(x)
        mean = 0.9 * mean + 0.1 * gradient
        variance = 0.999 * variance + 0.001 * (gradient - mean) ** 2 + 1e-8
        x -= 1e-2 * (mean / (1 - 0.9**step)) / (np.sqrt(variance / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(parameter.detach().numpy(), x, rtol=1e-9)


def network(seed: int) -> nn.Module:
    """Kernels in PyTorch's order, one that is updated piece by piece, and one that never gets a gradient."""
    torch.manual_seed(seed)
    wide = nn.Conv2d(1, 1, 1)
    wide.weight = nn.Parameter(torch.randn(PIECE // 4 + 7, 4, 1, 2) / 10)
    unused = nn.Linear(2, 2)
    network = nn.ModuleList([nn.Conv2d(3, 4, 3), wide, nn.BatchNorm2d(3), nn.Linear(5, 2), unused])
    return network.to(memory_format=torch.channels_last)


def fill_gradients(networks: list[nn.Module], seed: int) -> None:
    """The same gradients for each; every third step spares the first kernel, so that steps are counted apart."""
    generator = torch.Generator().manual_seed(seed)
    names = [name for name, _ in networks[0].named_parameters()]
    for name in names:
        shape = networks[0].get_parameter(name).shape
        gradient = torch.randn(shape, generator=generator) * 10.0 ** -(seed % 5)
        for one in networks:
            parameter = one.get_parameter(name)
            spared = name.startswith("4") or (name.startswith("0") and seed % 3 == 0)
            parameter.grad = None if spared else torch.empty_like(parameter).copy_(gradient)


def assert_alike(ours: nn.Module, theirs: nn.Module) -> None:
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 99),
    lr=st.floats(1e-5, 1e-2),
    decay=st.sampled_from([0.0, 5e-4, 1e-2]),
    eps=st.sampled_from([1e-8, 1e-12]),
    switches=st.fixed_dictionaries(
        {name: st.booleans() for name in ("weight_decouple", "fixed_decay", "amsgrad", "rectify")}
    ),
)
def test_a_hundred_steps_end_where_the_packages_end(
    seed: int, lr: float, decay: float, eps: float, switches: dict[str, bool]
) -> None:
    ours, theirs = network(seed), network(seed)
    given: dict[str, Any] = {"lr": lr, "eps": eps, "weight_decay": decay, "print_change_log": False, **switches}
    mine = AdaBelief(ours.parameters(), **given)
    other = adabelief_pytorch.AdaBelief(theirs.parameters(), **given)
    for step in range(100):
        fill_gradients([ours, theirs], step)
        mine.step()
        other.step()
    assert_alike(ours, theirs)


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_a_state_of_the_packages_is_gone_on_from_and_the_other_way_round(first: str) -> None:
    ours, theirs = network(1), network(1)
    mine = AdaBelief(ours.parameters(), lr=1e-3, eps=1e-8, **OPTIONS)
    other = adabelief_pytorch.AdaBelief(theirs.parameters(), lr=1e-3, eps=1e-8, **OPTIONS)
    for step in range(10):
        fill_gradients([ours, theirs], step)
        (mine if first == "ours" else other).step()
    source, target = (mine, other) if first == "ours" else (other, mine)
    target.load_state_dict(deepcopy(source.state_dict()))
    (theirs if first == "ours" else ours).load_state_dict((ours if first == "ours" else theirs).state_dict())
    for step in range(10, 20):
        fill_gradients([ours, theirs], step)
        mine.step()
        other.step()
    assert_alike(ours, theirs)


def test_a_closure_is_run_with_gradients() -> None:
    parameter = nn.Parameter(torch.ones(3))
    optimizer = AdaBelief([parameter], lr=1e-2, eps=1e-8, **OPTIONS)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure) == 3
    assert (parameter < 1).all()
