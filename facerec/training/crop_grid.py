"""An image of the crops that the network sees."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from torchvision.utils import make_grid

from facerec.crops import encode_png
from facerec.data import Batch
from facerec.runtime.files import replace_file


class CropGrid(pl.Callback):
    """Saves and logs a grid of the run's first training crops, augmented, as they enter the network.

    Args:
        file: the PNG to write.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Draw once, at the first batch of the process."""
        if self.file.exists() or not trainer.is_global_zero:
            return
        grid = make_grid(batch.crops[:64].cpu(), nrow=8, padding=2, pad_value=255)
        replace_file(self.file, encode_png(grid.permute(1, 2, 0).numpy()))
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("crops", [str(self.file)])
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("crops", grid, trainer.global_step)
