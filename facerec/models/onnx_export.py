"""A model as ONNX Runtime computes it on a CPU: the same vectors to rounding, nearly twice as fast as PyTorch."""

import logging
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from facerec.crops.contract import CROP_SIZE
from facerec.errors import ModelError
from facerec.models import store as model
from facerec.models.base import check_crops
from facerec.runtime.files import replace_file
from facerec.runtime.onnx_session import open_session

log = logging.getLogger(__name__)
_BATCH = 64


class CpuEmbedder:
    """Maps crops to unit vectors, on as many cores as PyTorch may use.

    The network is written as ONNX once, into `cache/onnx/FINGERPRINT.onnx`, which takes some 20 seconds for three
    ResNets; after that it is there in less than one.

    Args:
        folder: of the model.
        cache: where the file is kept; made if missing.

    Raises:
        ModelError: there is no model, or the file can't be written.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        file = cache / "onnx" / f"{model.fingerprint(folder)}.onnx"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(file.with_suffix(".lock")):  # a second process waits here, then finds the file
                if not file.exists():
                    _export(folder, file)
                try:
                    self._session = open_session(file)
                except Exception as error:  # onnxruntime's own errors share no base
                    log.warning("%s is damaged (%s): made again", file, error)
                    _export(folder, file)
                    self._session = open_session(file)
        except OSError as error:
            raise ModelError(f"{file}: can't be written ({error}); free space or set cache_dir") from error

    def __call__(self, crops: Tensor) -> Tensor:
        """Embeddings: `uint8 [N, 3, 112, 112]` → `float32 [N, d]` of unit length.

        Raises:
            ValueError: `crops` is not a batch of `uint8` crops.
        """
        check_crops(crops)
        parts = [self._session.run(None, {"crops": part.numpy()})[0] for part in crops.cpu().split(_BATCH)]
        return torch.from_numpy(np.concatenate(parts))


def _export(folder: Path, file: Path) -> None:
    log.info("%s: writing it for ONNX Runtime, once", folder)
    for name in ("onnxscript", "onnx_ir"):  # they tell of every step
        logging.getLogger(name).setLevel(logging.WARNING)
    program = torch.onnx.export(
        model.load(folder),
        (torch.zeros(2, 3, CROP_SIZE, CROP_SIZE, dtype=torch.uint8),),
        input_names=["crops"],
        output_names=["vectors"],
        dynamic_shapes={"crops": {0: torch.export.Dim("n", max=2**16)}},
        verbose=False,
    )
    assert program  # there is none only for exporters of old
    replace_file(file, program.model_proto.SerializeToString())
