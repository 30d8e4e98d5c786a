from functools import partial

import numpy as np
import pytest
import torch
from adabelief_pytorch import AdaBelief
from torch.optim import SGD

from facerec.backbones import ResNet
from facerec.data import FaceImages
from facerec.embedder import Embedder
from facerec.errors import ConfigError
from facerec.learner import Learner
from facerec.losses import ArcFace
from facerec.precision import fastest_precision
from facerec.schedules import constant, cosine, warm_restarts

IMAGES = FaceImages("toy", [], np.array(list("aabbccdd")), np.array(["train"] * 4 + ["val"] * 4))


def _learner(**options: object) -> Learner:
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, embedding_dim=8, stem="imagenet"), [120.0] * 3, [50.0] * 3)
    head = ArcFace(8, 2, m=0.3, scale=16.0)
    return Learner(embedder, head, IMAGES, partial(SGD, lr=0.1), constant, **options)  # type: ignore[arg-type]


def test_compiling_leaves_the_names_in_a_checkpoint_as_they_are() -> None:
    plain, compiled = _learner(), _learner(compile=True)
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    assert compiled.embedder.backbone._compiled_call_impl is not None
    plain.load_state_dict(compiled.state_dict())


def test_an_unknown_interval_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"learner\.interval must be 'step' or 'epoch', not 'hour'"):
        _learner(interval="hour")


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
    schedule = warm_restarts(
        restarted, t_0=1, t_mult=2, eta_min=0.01, max_epochs=7, steps_per_epoch=steps_per_epoch
    )
    expected = []
    for length in (1, 2, 4):
        place = np.arange(length * steps_per_epoch) / (length * steps_per_epoch)
        expected += list(0.01 + 0.49 * (1 + np.cos(np.pi * place)) / 2)
    np.testing.assert_allclose(_rates(schedule, restarted, total), expected, atol=1e-9)

    annealed = optimizer()
    schedule_2 = cosine(annealed, eta_min=0.0, max_epochs=7, steps_per_epoch=steps_per_epoch)
    np.testing.assert_allclose(
        _rates(schedule_2, annealed, total), 0.25 * (1 + np.cos(np.pi * step / total)), atol=1e-9
    )

    kept = optimizer()
    assert set(_rates(constant(kept, max_epochs=7, steps_per_epoch=1), kept, total)) == {0.5}


@pytest.mark.parametrize(
    ("t_0", "t_mult", "max_epochs", "said"), [(3, 2, 21, ""), (3, 2, 20, "3, 9, 21"), (2, 1, 6, "")]
)
def test_a_run_that_ends_in_the_middle_of_a_cycle_is_told_so(
    t_0: int, t_mult: int, max_epochs: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    warm_restarts(optimizer, t_0=t_0, t_mult=t_mult, eta_min=0.0, max_epochs=max_epochs, steps_per_epoch=5)
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)


def test_adabelief_is_the_papers() -> None:
    """Algorithm 2 of arXiv 2010.07468 with bias correction, in float64; eps is added to the variance each step."""
    start = np.random.default_rng(0).normal(size=5)
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = AdaBelief(
        [parameter], lr=1e-2, eps=1e-8, weight_decouple=False, rectify=False, print_change_log=False
    )
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


def test_precision_is_what_the_hardware_multiplies() -> None:
    assert fastest_precision("tpu") == "32-true"
    cpu_has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert fastest_precision("cpu") == ("bf16-mixed" if cpu_has_bf16 else "32-true")
