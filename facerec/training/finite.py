"""A training stops when its loss is not finite, and no step waits for the device to know it."""

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from facerec.data import Batch, FaceImages
from facerec.errors import NonFiniteLossError

_LAG = 2  # steps between a loss and the look at it: by then a GPU has computed it


class _Step(NamedTuple):
    loss: Tensor  # on the CPU, once `copied` has happened
    copied: torch.cuda.Event | None
    rows: Tensor
    epoch: int
    batch: int
    number: int


class FiniteLosses:
    """Looks at each loss some steps after its own, when reading it needs no waiting.

    Args:
        images: the data set, for messages that name files.
        finite: called with the step, the epoch and the loss of each that is.
    """

    def __init__(self, images: FaceImages, finite: Callable[[int, int, float], None]) -> None:
        self._images, self._finite = images, finite
        self._steps: deque[_Step] = deque()

    def watch(self, loss: Tensor, batch: Batch, epoch: int, place: int, step: int) -> None:
        """Remember the loss of a step, and look at that of an earlier one.

        Args:
            loss: of all processes, so that all stop at the same step.
            batch: whose loss it is.
            epoch: counted from 0.
            place: of the batch in its epoch, counted from 0.
            step: of the training, counted from 0.

        Raises:
            NonFiniteLossError: the earlier one is not finite.
        """
        copied = None
        value = loss.detach()
        if value.is_cuda:
            value = torch.empty_like(value, device="cpu", pin_memory=True).copy_(value, non_blocking=True)
            copied = torch.cuda.Event()
            copied.record()
        self._steps.append(_Step(value, copied, batch.indices, epoch, place, step))
        if len(self._steps) > _LAG:
            self._check_first()

    def check(self) -> None:
        """Look at all that is left, before something is made of the weights.

        Raises:
            NonFiniteLossError: one of them is not finite.
        """
        while self._steps:
            self._check_first()

    def _check_first(self) -> None:
        step = self._steps.popleft()
        if step.copied:
            step.copied.synchronize()
        if math.isfinite(value := step.loss.item()):
            self._finite(step.number, step.epoch, value)
            return
        self._steps.clear()
        files = ", ".join(str(self._images.files[row]) for row in step.rows[:2].tolist())
        raise NonFiniteLossError(
            f"the loss became {value} in epoch {step.epoch}, batch {step.batch} (images {files}, …). Try a lower "
            "optimizer.lr, a larger optimizer.eps, a smaller loss.scale, trainer.gradient_clip_val=1 or "
            "trainer.precision=32-true; the last checkpoint is from before it"
        )
