"""Learning-rate schedules, with lengths in epochs, as torch schedulers that count steps."""

import logging

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts, LambdaLR, LRScheduler

log = logging.getLogger(__name__)


def warm_restarts(
    optimizer: Optimizer, *, t_0: int, t_mult: int, eta_min: float, max_epochs: int, steps_per_epoch: int
) -> LRScheduler:
    """Cosine annealing with warm restarts (SGDR, Loshchilov and Hutter, arXiv 1608.03983).

    Cycles last t_0, t_0·t_mult, t_0·t_mult², … epochs. A run whose `max_epochs` is not the end of one ends
    at a high learning rate, and is told so.

    Args:
        optimizer: what to schedule.
        t_0: epochs of the first cycle.
        t_mult: by how much each cycle is longer than the one before.
        eta_min: learning rate at the bottom of a cycle.
        max_epochs: epochs of the run.
        steps_per_epoch: how often an epoch the scheduler is stepped.
    """
    end, cycle = t_0, t_0
    ends = [end]
    while end < max_epochs:
        cycle *= t_mult
        end += cycle
        ends.append(end)
    if max_epochs not in ends:
        log.warning(
            "trainer.max_epochs=%d is in the middle of a cycle of the learning rate; cycles end after %s epochs",
            max_epochs,
            ", ".join(map(str, ends[-3:])),
        )
    return CosineAnnealingWarmRestarts(optimizer, t_0 * steps_per_epoch, t_mult, eta_min)


def cosine(optimizer: Optimizer, *, eta_min: float, max_epochs: int, steps_per_epoch: int) -> LRScheduler:
    """One cosine from the learning rate down to `eta_min` over the whole run."""
    return CosineAnnealingLR(optimizer, max(1, max_epochs * steps_per_epoch), eta_min)


def constant(optimizer: Optimizer, *, max_epochs: int, steps_per_epoch: int) -> LRScheduler:
    """The learning rate stays as it is."""
    return LambdaLR(optimizer, lambda _: 1.0)
