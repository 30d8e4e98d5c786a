"""The bar of a training."""

import math
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import TQDMProgressBar

from facerec.training.learner import Learner


class ProgressBar(TQDMProgressBar):
    """Lightning's, with the loss that is known when it is drawn: to wait for the last would slow a GPU down.

    Args:
        refresh_rate: batches from one drawing to the next; 0 draws nothing.
    """

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What stands beside the bar."""
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        if isinstance(pl_module, Learner) and math.isfinite(pl_module.loss):
            metrics["train/loss"] = pl_module.loss
        return metrics
