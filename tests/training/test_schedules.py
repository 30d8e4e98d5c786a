import math
import re
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.optim import SGD
from torch.optim.lr_scheduler import LRScheduler

from facerec.errors import ConfigError
from facerec.training.schedules import constant, cosine, warm_restarts


def _rates(scheduler: object, optimizer: SGD, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()  # type: ignore[attr-defined]
    return rates


@pytest.mark.parametrize("steps_per_epoch", [1, 7])
def test_schedules_follow_their_formulas(steps_per_epoch: int) -> None:
    def optimizer() -> SGD:
        return SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)

    total = 7 * steps_per_epoch
    step = np.arange(total)

    restarted = optimizer()
    schedule = warm_restarts(restarted, t_0=1, t_mult=2, eta_min=0.01, steps=total, steps_per_epoch=steps_per_epoch)
    expected = []
    for length in (1, 2, 4):
        place = np.arange(length * steps_per_epoch) / (length * steps_per_epoch)
        expected += list(0.01 + 0.49 * (1 + np.cos(np.pi * place)) / 2)
    np.testing.assert_allclose(_rates(schedule, restarted, total), expected, atol=1e-9)

    annealed = optimizer()
    schedule_2 = cosine(annealed, eta_min=0.0, steps=total, steps_per_epoch=steps_per_epoch)
    np.testing.assert_allclose(
        _rates(schedule_2, annealed, total), 0.25 * (1 + np.cos(np.pi * step / total)), atol=1e-9
    )

    kept = optimizer()
    assert set(_rates(constant(kept, steps=7, steps_per_epoch=1), kept, total)) == {0.5}


@pytest.mark.parametrize(
    ("t_0", "t_mult", "warmup", "epochs", "said"),
    [
        (3, 2, 0.0, 21, ""),
        (3, 2, 0.0, 20, "3, 9, 21"),
        (2, 1, 0.0, 6, ""),
        (3, 2, 0.0, 0.4, "of 0.4 epochs"),
        (1, 1, 0.0, math.inf, ""),
        (3, 2, 1, 22, ""),
        (
            3,
            2,
            1,
            21,
            "of 21 epochs stops in the middle of a cycle of the learning rate; cycles end after 4, 10, 2",
        ),
        (3, 2, 0.2, 9, "after 3.2, 9.2 epochs"),
        (3, 2, 0.2, 9.2, ""),
        (1, 1, 0.2, math.inf, ""),
    ],
)
def test_a_run_that_ends_in_the_middle_of_a_cycle_is_told_so(
    t_0: int, t_mult: int, warmup: float, epochs: float, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    lengths = {"steps": 5 * epochs, "steps_per_epoch": 5}
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    warm_restarts(optimizer, t_0=t_0, t_mult=t_mult, eta_min=0.0, warmup=warmup, **lengths)  # type: ignore[arg-type]
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)


MAKERS: dict[str, Callable[..., LRScheduler]] = {
    "cosine": partial(cosine, eta_min=0.01),
    "warm_restarts": partial(warm_restarts, t_0=1, t_mult=2, eta_min=0.01),
    "constant": constant,
}


def _formula(name: str, total: int, warming: int, steps_per_epoch: int) -> NDArray[np.float64]:
    """The learning rates of a training at 0.5, in float64."""
    ramp = 0.5 * np.arange(1, warming + 1) / (warming + 1)
    place = np.arange(total - warming)
    if name == "constant":
        return np.concatenate([ramp, np.full(len(place), 0.5)])
    length = np.full(len(place), total - warming)
    if name == "warm_restarts":
        cycle = np.floor(np.log2(place / steps_per_epoch + 1)).astype(int)  # each twice as long as the one before
        length, place = steps_per_epoch * 2**cycle, place - steps_per_epoch * (2**cycle - 1)
    return np.concatenate([ramp, 0.01 + 0.49 * (1 + np.cos(np.pi * place / length)) / 2])


@given(
    st.sampled_from(sorted(MAKERS)), st.integers(1, 9), st.integers(3, 12), st.floats(0, 1.9), st.integers(0, 10**6)
)
@settings(deadline=None)
def test_a_warmup_comes_before_the_schedule_and_a_resumed_one_goes_on(
    name: str, steps_per_epoch: int, epochs: int, warmup: float, stop: int
) -> None:
    total = steps_per_epoch * epochs
    warming = max(1, round(warmup * steps_per_epoch)) if warmup else 0
    wanted = _formula(name, total, warming, steps_per_epoch)

    def make() -> tuple[LRScheduler, SGD]:
        optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        return MAKERS[name](optimizer, warmup=warmup, steps=total, steps_per_epoch=steps_per_epoch), optimizer

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = _rates(*make(), total)
        stop %= total
        scheduler, optimizer = make()
        before, states = _rates(scheduler, optimizer, stop), (scheduler.state_dict(), optimizer.state_dict())
        scheduler, optimizer = make()
        scheduler.load_state_dict(states[0])
        optimizer.load_state_dict(states[1])
        after = _rates(scheduler, optimizer, total - stop)
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert before + after == found


@pytest.mark.parametrize("name", ["constant", "warm_restarts"])
def test_a_training_without_an_end_can_be_warmed_up(name: str) -> None:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = MAKERS[name](optimizer, warmup=0.5, steps=math.inf, steps_per_epoch=6)
    np.testing.assert_allclose(_rates(scheduler, optimizer, 40), _formula(name, 40, 3, 6), atol=1e-9)


@pytest.mark.parametrize("name", sorted(MAKERS))
@pytest.mark.parametrize(
    ("warmup", "message"),
    [(-0.1, "a number of epochs, 0 for none, not -0.1"), (math.nan, "not nan"), (math.inf, "not inf")]
    + [(warmup, f"is {warmup:g} epochs, leaving nothing of the training's 3") for warmup in (3, 2.95, 4)],
)
def test_a_warmup_that_can_not_be_is_refused_by_its_key(name: str, warmup: float, message: str) -> None:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    with pytest.raises(ConfigError, match=rf"^scheduler\.warmup .*{re.escape(message)}"):
        MAKERS[name](optimizer, warmup=warmup, steps=15, steps_per_epoch=5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            partial(cosine, steps=math.inf),
            "so give trainer.max_epochs or trainer.max_steps",
        ),
        (
            partial(warm_restarts, t_0=0, t_mult=2, steps=5),
            "scheduler.t_0 must be a whole number of at least 1",
        ),
        (partial(warm_restarts, t_0=1, t_mult=1.5, steps=5), "scheduler.t_mult must be a whole number"),  # type: ignore[arg-type]
    ],
)
def test_a_schedule_that_can_not_be_is_refused_by_its_key(make: partial[LRScheduler], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        make(SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5), eta_min=0.0, steps_per_epoch=5)
