"""Learning-rate schedules, with lengths in epochs, as torch schedulers that count steps.

Each is told how often it is stepped: `steps` times in the whole training, infinite if only a time ends it, and
`steps_per_epoch` times an epoch.
"""

import logging
import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts, LambdaLR, LRScheduler

from facerec.errors import ConfigError

log = logging.getLogger(__name__)


def warm_restarts(
    optimizer: Optimizer, *, t_0: int, t_mult: int, eta_min: float, steps: float, steps_per_epoch: int
) -> LRScheduler:
    """Cosine annealing with warm restarts (SGDR, Loshchilov and Hutter, arXiv 1608.03983).

    Cycles last t_0, t_0·t_mult, t_0·t_mult², … epochs. A training that stops before the end of one stops at a high
    learning rate, and is told so.

    Args:
        optimizer: what to schedule.
        t_0: epochs of the first cycle.
        t_mult: by how much each cycle is longer than the one before.
        eta_min: learning rate at the bottom of a cycle.
        steps: length of the training.
        steps_per_epoch: length of an epoch.

    Raises:
        ConfigError: a cycle is no whole number of epochs.
    """
    for name, value in (("t_0", t_0), ("t_mult", t_mult)):
        if not isinstance(value, int) or value < 1:
            raise ConfigError(f"scheduler.{name} must be a whole number of at least 1, not {value}")
    epochs = steps / steps_per_epoch
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
            epochs,
            ", ".join(map(str, ends[-3:])),
        )
    return CosineAnnealingWarmRestarts(optimizer, t_0 * steps_per_epoch, t_mult, eta_min)


def cosine(optimizer: Optimizer, *, eta_min: float, steps: float, steps_per_epoch: int) -> LRScheduler:
    """One cosine from the learning rate down to `eta_min` over the whole training.

    Raises:
        ConfigError: its length is not known.
    """
    if not math.isfinite(steps):
        raise ConfigError(
            "scheduler: a cosine is as long as the training, so give trainer.max_epochs or trainer.max_steps, or "
            "choose scheduler=warm_restarts or constant"
        )
    return CosineAnnealingLR(optimizer, int(steps), eta_min)


def constant(optimizer: Optimizer, *, steps: float, steps_per_epoch: int) -> LRScheduler:
    """The learning rate stays as it is."""
    return LambdaLR(optimizer, lambda _: 1.0)
