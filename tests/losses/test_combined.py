"""The margin's formula over all angles and margins."""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facerec.losses.combined import margin_cosine

angles = st.floats(0, math.pi)
m1s, m2s, m3s = st.floats(0.1, 8), st.floats(0, math.pi / 2), st.floats(0, 1)
NEAR_POLE = 3e-3  # radians that `angle` keeps away from 0 and π


def cosine_of(*theta: float) -> torch.Tensor:
    return torch.tensor(theta, dtype=torch.float64).cos()


@settings(deadline=None)
@given(angles, angles, m1s, m2s, m3s)
def test_falls_without_a_jump(one: float, other: float, m1: float, m2: float, m3: float) -> None:
    small, large = sorted((one, other))
    first, second = margin_cosine(cosine_of(small, large), m1, m2, m3).tolist()
    assert second <= first + 1e-12
    assert first - second <= m1 * (large - small) + 1e-9  # no slope is steeper than m1


@settings(deadline=None)
@given(angles, st.floats(1, 8), m2s, m3s)
def test_never_above_the_cosine(theta: float, m1: float, m2: float, m3: float) -> None:
    cosine = cosine_of(theta)
    assert margin_cosine(cosine, m1, m2, m3) <= cosine + NEAR_POLE**2


@settings(deadline=None)
@given(angles, m1s, m2s, m3s)
def test_is_one_minus_the_area_under_sine(theta: float, m1: float, m2: float, m3: float) -> None:
    half_turns, rest = divmod(m1 * theta + m2, math.pi)
    expected = math.cos(rest) - 2 * half_turns - m3
    assert margin_cosine(cosine_of(theta), m1, m2, m3).item() == pytest.approx(expected, abs=m1 * NEAR_POLE)
    if NEAR_POLE < theta < math.pi - NEAR_POLE:
        assert margin_cosine(cosine_of(theta), m1, m2, m3).item() == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(st.floats(-1, 1, width=32), m1s, m2s, m3s)
@example(1 - 2**-24, 1.0, 0.5, 0.0)  # float32's neighbours of the poles
@example(2**-24 - 1, 1.0, 0.5, 0.0)
@example(1.0, 1.0, 0.5, 0.0)
@example(-1.0, 1.0, 0.5, 0.0)
def test_float32_is_close_and_nowhere_steep(cosine: float, m1: float, m2: float, m3: float) -> None:
    single = torch.tensor([cosine], dtype=torch.float32, requires_grad=True)
    value = margin_cosine(single, m1, m2, m3)
    (slope,) = torch.autograd.grad(value.sum(), single)
    assert slope.abs() < 1.1 * m1 / NEAR_POLE
    assert value.item() == pytest.approx(
        margin_cosine(torch.tensor([cosine], dtype=torch.float64), m1, m2, m3).item(), abs=1e-3
    )


@pytest.mark.parametrize("cosine", [-1.0, -0.999999, 0.0, 0.3, 0.999999, 1.0])
def test_no_margin_leaves_the_cosine_alone(cosine: float) -> None:
    value = torch.tensor([cosine])
    assert torch.equal(margin_cosine(value, 1.0, 0.0, 0.0), value)
