"""Checkpoints that are there whole or not at all."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from facerec.runtime.files import replace_file


def last_checkpoint(run: Path) -> Path | None:
    """The checkpoint from which a run goes on: of its last epoch, or of its best where that one is damaged."""
    files = (run / "checkpoints" / "last.ckpt", run / "checkpoints" / "best.ckpt")
    return next((file for file in files if zipfile.is_zipfile(file)), None)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside the one that it replaces.

    Lightning's own way goes over the folder for temporary files, and copies from there where that is another disk:
    one that is full then loses the last good checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Write it; what was there stays if the disk refuses."""
        file, content = Path(path), io.BytesIO()
        torch.save(checkpoint, content)
        file.parent.mkdir(parents=True, exist_ok=True)
        for half in file.parent.glob(".*.new"):  # of a killed process: nobody else writes here
            half.unlink()
        replace_file(file, content.getvalue())
