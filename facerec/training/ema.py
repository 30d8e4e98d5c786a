"""An average of the weights over the steps of a training, which is validated, kept and used in their place."""

import warnings
from collections.abc import Sequence

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

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
        super().__init__(multi_avg_fn=self._average)
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

    def _average(self, averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor) -> None:
        assert self._average_model is not None
        steps = int(self._average_model.n_averaged)
        get_ema_multi_avg_fn(min(self.decay, (1 + steps) / (10 + steps)))(averaged, current, count)
