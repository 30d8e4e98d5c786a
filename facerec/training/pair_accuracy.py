"""Accuracy on pair sets, such as LFW and CFP-FP, in each validation of a training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from facerec.errors import ConfigError
from facerec.evaluation import PairSet, embed_pair_set, read_pair_file
from facerec.models import CropEmbedder, FlipEmbedder


class PairAccuracy(pl.Callback):
    """Logs `pairs/NAME`, the mean accuracy of ten folds, of each pair set with each validation.

    The first process measures, while the others wait, and keeps the crops of all sets: 0.3 GB for LFW. The weights
    are those that are validated, averaged ones where an average is kept.

    Args:
        files: a `.bin` file or several, see `read_pair_file`.
        flip: add the vector of each crop's mirror image, see `FlipEmbedder`.

    Raises:
        ConfigError: there is no file, or one of another kind.
    """

    def __init__(self, files: str | Sequence[str], flip: bool = False) -> None:
        self.files, self.flip = [Path(file) for file in ([files] if isinstance(files, str) else files)], flip
        if not files:
            raise ConfigError("callbacks.pairs.files: name a .bin file, as in callbacks.pairs.files=[lfw.bin]")
        if others := [file for file in self.files if file.suffix != ".bin"]:
            cure = "`facerec pairs` makes one of a list"
            raise ConfigError(f"callbacks.pairs.files: {others[0]} is no .bin file; {cure}")
        if len({file.stem for file in self.files}) < len(self.files):
            raise ConfigError("callbacks.pairs.files: two files have one name")
        self._pair_sets: list[PairSet] = []
        self._accuracies: dict[str, float] = {}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Read the files, so that a damaged one ends the run before it begins.

        Raises:
            DataError: as `read_pair_file`.
        """
        if trainer.is_global_zero and not self._pair_sets:
            self._pair_sets = [read_pair_file(file) for file in self.files]

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Measure before the first batch.

        By now an average of the weights has taken their place, and at the end of the validation it may have left it
        before our turn comes: that depends on the order of the callbacks.
        """
        if trainer.sanity_checking or batch_idx or dataloader_idx:
            return
        embedder: CropEmbedder = pl_module.embedder
        if self.flip:
            embedder = FlipEmbedder([embedder])
        measured = {
            pair_set.name: pair_set.accuracy(embed_pair_set(pair_set, embedder, "model")).mean
            for pair_set in self._pair_sets
        }
        self._accuracies = trainer.strategy.broadcast(measured)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log what was measured; it is equal on all processes."""
        for name, accuracy in self._accuracies.items():
            pl_module.log(f"pairs/{name}", accuracy, sync_dist=True)
        self._accuracies = {}
