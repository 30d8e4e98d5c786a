"""Learning-rate schedules, with lengths in epochs, as torch schedulers that count steps.

Each is told how often it is stepped: `steps` times in the whole training, infinite if only a time ends it, and
`steps_per_epoch` times an epoch. Each can begin with a warm-up (Goyal et al., arXiv 1706.02677): `warmup` epochs,
or a fraction of one, in which the learning rate grows in equal steps from nearly 0.
"""

import logging
import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    LambdaLR,
    LinearLR,
    LRScheduler,
    SequentialLR,
)

from facerec.errors import ConfigError

log = logging.getLogger(__name__)


def warm_restarts(
    optimizer: Optimizer,
    *,
    t_0: int,
    t_mult: int,
    eta_min: float,
    warmup: float = 0.0,
    steps: float,
    steps_per_epoch: int,
) -> LRScheduler:
    """Cosine annealing with warm restarts (SGDR, Loshchilov and Hutter, arXiv 1608.03983).

    After the warm-up, cycles last t_0, t_0·t_mult, t_0·t_mult², … epochs. A training that stops before the end of
    one stops at a high learning rate, and is told so.

    Args:
        optimizer: what to schedule.
        t_0: epochs of the first cycle.
        t_mult: by how much each cycle is longer than the one before.
        eta_min: learning rate at the bottom of a cycle.
        warmup: epochs before the first cycle.
        steps: length of the training.
        steps_per_epoch: length of an epoch.

    Raises:
        ConfigError: a cycle is no whole number of epochs, or the warm-up is negative or as long as the training.
    """
    for name, value in (("t_0", t_0), ("t_mult", t_mult)):
        if not isinstance(value, int) or value < 1:
            raise ConfigError(f"scheduler.{name} must be a whole number of at least 1, not {value}")
    warming = _warmup_steps(warmup, steps, steps_per_epoch)
    epochs = (steps - warming) / steps_per_epoch
    end, cycle = t_0, t_0
    ends = [end]
    while end < epochs < math.inf:
        cycle *= t_mult
        end += cycle
        ends.append(end)
    if epochs < math.inf and epochs not in ends:
        log.warning(
            "trainer.max_epochs: the training of %g epochs stops in the middle of a cycle of the learning rate; "
            "cycles end after %s epochs",
            steps / steps_per_epoch,
            ", ".join(f"{warming / steps_per_epoch + end:g}" for end in ends[-3:]),
        )
    return _after_warmup(CosineAnnealingWarmRestarts(optimizer, t_0 * steps_per_epoch, t_mult, eta_min), warming)


def cosine(
    optimizer: Optimizer, *, eta_min: float, warmup: float = 0.0, steps: float, steps_per_epoch: int
) -> LRScheduler:
    """One cosine from the learning rate down to `eta_min` over all of the training that follows the warm-up.

    Raises:
        ConfigError: its length is not known, or the warm-up is negative or as long as the training.
    """
    if not math.isfinite(steps):
        raise ConfigError(
            "scheduler: a cosine is as long as the training, so give trainer.max_epochs or trainer.max_steps, or "
            "choose scheduler=warm_restarts or constant"
        )
    warming = _warmup_steps(warmup, steps, steps_per_epoch)
    return _after_warmup(CosineAnnealingLR(optimizer, int(steps) - warming, eta_min), warming)


def constant(optimizer: Optimizer, *, warmup: float = 0.0, steps: float, steps_per_epoch: int) -> LRScheduler:
    """The learning rate stays as it is, after the warm-up.

    Raises:
        ConfigError: the warm-up is negative or as long as the training.
    """
    warming = _warmup_steps(warmup, steps, steps_per_epoch)
    return _after_warmup(LambdaLR(optimizer, lambda _: 1.0), warming)


def _warmup_steps(warmup: float, steps: float, steps_per_epoch: int) -> int:
    """Steps of a warm-up of so many epochs: at least one if there is any."""
    if not 0 <= warmup < math.inf:
        raise ConfigError(f"scheduler.warmup must be a number of epochs, 0 for none, not {warmup}")
    warming = max(1, round(warmup * steps_per_epoch)) if warmup else 0
    if warming >= steps:
        epochs = steps / steps_per_epoch
        raise ConfigError(f"scheduler.warmup is {warmup:g} epochs, leaving nothing of the training's {epochs:g}")
    return warming


def _after_warmup(schedule: LRScheduler, warming: int) -> LRScheduler:
    """`warming` steps at 1, 2, 3, … parts in warming + 1 of the learning rate, then the schedule."""
    if not warming:
        return schedule
    warmup = LinearLR(schedule.optimizer, start_factor=1 / (warming + 1), total_iters=warming)
    return SequentialLR(schedule.optimizer, [warmup, schedule], milestones=[warming])
