"""A model folder's network for ONNX Runtime on a CPU: the same vectors to rounding, nearly twice as fast."""

import logging
import os
from pathlib import Path

import torch
from filelock import FileLock

from facerec.crops.contract import CROP_SIZE
from facerec.errors import ModelError
from facerec.models import store
from facerec.models.onnx_network import OnnxNetwork
from facerec.runtime.files import replace_file
from facerec.runtime.onnx_session import open_session

log = logging.getLogger(__name__)
_KEY = "facerec.fingerprint"


def open_onnx_copy(folder: Path, fingerprint: str, dim: int, cache: Path | None = None) -> OnnxNetwork:
    """Open the `model.onnx` of a model folder.

    It is written at first use, which takes some 20 seconds for three ResNets, and again if it is damaged or was
    made of other weights.

    Args:
        folder: of the model.
        fingerprint: of the model.
        dim: length of its vectors.
        cache: where the copy goes, as `cache/onnx/FINGERPRINT.onnx`, if the folder can't be written.

    Raises:
        ModelError: there is no model, or the copy can't be written.
    """
    files = [folder / store.ONNX, *([cache / "onnx" / f"{fingerprint}.onnx"] if cache else [])]
    for file in files:
        if network := _opened(file, fingerprint, dim):
            return network
    file = files[0] if os.access(folder, os.W_OK) else files[-1]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # beside the folder, which holds the model alone; a second process waits here, then finds the file
        with FileLock(file.parent.with_name(f".{file.parent.name}.onnx.lock")):
            if network := _opened(file, fingerprint, dim):
                return network
            write_onnx_copy(folder, file, fingerprint)
            return OnnxNetwork(open_session(file), file, input="crops", output="vectors", dim=dim)
    except OSError as error:
        raise ModelError(f"{file}: can't be written ({error}); free space or set cache_dir") from error


def write_onnx_copy(folder: Path, file: Path, fingerprint: str) -> None:
    """Write the network of a model folder to `file`, with the fingerprint of the model in it.

    Raises:
        ModelError: there is no model.
        OSError: the disk refuses.
    """
    log.info("%s: writing it for ONNX Runtime, once", folder)
    for name in ("onnxscript", "onnx_ir"):  # they tell of every step
        logging.getLogger(name).setLevel(logging.WARNING)
    program = torch.onnx.export(
        store.load(folder),
        (torch.zeros(2, 3, CROP_SIZE, CROP_SIZE, dtype=torch.uint8),),
        input_names=["crops"],
        output_names=["vectors"],
        dynamic_shapes={"crops": {0: torch.export.Dim("n", max=2**16)}},
        verbose=False,
    )
    assert program  # only the old exporter returns None
    proto = program.model_proto
    entry = proto.metadata_props.add()
    entry.key, entry.value = _KEY, fingerprint
    replace_file(file, proto.SerializeToString())


def _opened(file: Path, fingerprint: str, dim: int) -> OnnxNetwork | None:
    """The network, if `file` is an intact copy of this model; else None."""
    if not file.exists():
        return None
    try:
        session = open_session(file)
    except Exception as error:  # onnxruntime's own errors share no base
        log.warning("%s is damaged (%s): writing it again", file, error)
        return None
    if session.get_modelmeta().custom_metadata_map.get(_KEY) != fingerprint:
        log.warning("%s is a copy of another model: writing it again", file)
        return None
    return OnnxNetwork(session, file, input="crops", output="vectors", dim=dim)
