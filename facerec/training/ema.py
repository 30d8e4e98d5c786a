"""An average of the weights over the steps of a training, which is validated, kept and used in their place."""

import warnings
from itertools import chain
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor

from facerec.errors import ConfigError
from facerec.training.learner import Learner


class EMA(WeightAveraging):
    """Exponential moving average of weights and buffers, those of batch normalisation included.

    Step n decays by min(decay, (1 + n) / (10 + n)), as TensorFlow's ExponentialMovingAverage: with a fixed decay a
    training of 1 / (1 - decay) steps would still be a third its first weights.

    Args:
        decay: a step, in the end.

    Raises:
        ConfigError: decay is not between 0 and 1, or, when a training begins, the head's classes are sharded.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ConfigError(f"callbacks.ema.decay must be at least 0 and less than 1, not {decay}")
        super().__init__()
        self.decay = decay

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin with the weights as they are, on the device of the training."""
        if isinstance(pl_module, Learner) and pl_module.head and pl_module.head.shard_classes:
            raise ConfigError("callbacks.ema does not work with loss.shard_classes=true; leave one of them out")
        self._device = trainer.strategy.root_device  # not the model's own, which is still the CPU
        with warnings.catch_warnings():  # of configure_model, which does nothing without shards
            warnings.filterwarnings("ignore", ".*overrides the configure_model")
            super().setup(trainer, pl_module, stage)
        if self._average_model is not None:  # its count is read at each step, which must not wait for a GPU
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Average, if the batch ended a step; Lightning's own way copies the count to the device each time."""
        if trainer.global_step > self._latest_update_step:
            self._average(pl_module)
            self._latest_update_step = trainer.global_step

    @torch.no_grad()
    def _average(self, current: LightningModule) -> None:
        average = self._average_model
        assert average is not None
        steps = int(average.n_averaged)
        share = 1 - min(self.decay, (1 + steps) / (10 + steps)) if steps else 1.0
        pairs = zip(
            chain(average.module.parameters(), average.module.buffers()),
            chain(current.parameters(), current.buffers()),
            strict=True,
        )
        floating, towards = list[Tensor](), list[Tensor]()
        for averaged, now in pairs:
            if averaged.is_floating_point() and steps:
                floating.append(averaged)
                towards.append(now)
            else:  # counters, and the first weights
                averaged.copy_(now)
        if floating:
            torch._foreach_lerp_(floating, towards, share)
        average.n_averaged += 1
