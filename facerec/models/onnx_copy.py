"""A model folder's network for ONNX Runtime: the same vectors to rounding, nearly twice as fast on a CPU."""

import logging
import os
from pathlib import Path

from filelock import FileLock

from facerec.errors import ConfigError, ModelError
from facerec.models.folder import ONNX, ONNX_FINGERPRINT
from facerec.models.onnx_network import OnnxNetwork
from facerec.runtime.onnx_session import open_session

log = logging.getLogger(__name__)


def open_onnx_copy(
    folder: Path, fingerprint: str, dim: int, cache: Path | None = None, device: str = "cpu"
) -> OnnxNetwork:
    """Open the `model.onnx` of a model folder.

    It is written at first use, which takes a few seconds, and again if it is damaged or was made of other weights.

    Args:
        folder: of the model.
        fingerprint: of the model.
        dim: length of its vectors.
        cache: where the copy goes, as `cache/onnx/FINGERPRINT.onnx`, if the folder can't be written.
        device: as `open_session` takes it.

    Raises:
        ConfigError: ONNX Runtime can't use the device.
        ModelError: there is no model, or the copy can't be written, or there is none and no torch to write it.
    """
    files = [folder / ONNX, *([cache / "onnx" / f"{fingerprint}.onnx"] if cache else [])]
    for file in files:
        if network := _opened(file, fingerprint, dim, device):
            return network
    file = files[0] if os.access(folder, os.W_OK) else files[-1]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # beside the folder, which holds the model alone; a second process waits here, then finds the file
        with FileLock(file.parent.with_name(f".{file.parent.name}.onnx.lock")):
            if network := _opened(file, fingerprint, dim, device):
                return network
            _write(folder, file, fingerprint)
            session = open_session(file, device)
            return OnnxNetwork(session, file, input="crops", output="vectors", dim=dim)
    except OSError as error:
        raise ModelError(f"{file}: can't be written ({error}); free space or set cache_dir") from error


def _write(folder: Path, file: Path, fingerprint: str) -> None:
    """Write the copy, or say what it takes.

    Raises:
        ModelError: there is no model, or torch or its exporter is not installed.
        OSError: the disk refuses.
    """
    try:
        from facerec.models.onnx_export import write_onnx

        log.info("%s: writing it for ONNX Runtime, once, as %s; which takes a few seconds", folder, file)
        write_onnx(folder, file, fingerprint)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{folder}: its {ONNX} is still to be written, and {error.name} is needed for that once: install "
            "facerec[train], or open the model once where that is installed"
        ) from error


def _opened(file: Path, fingerprint: str, dim: int, device: str) -> OnnxNetwork | None:
    """The network, if `file` is an intact copy of this model; else None."""
    if not file.exists():
        return None
    try:
        session = open_session(file, device)
    except ConfigError:
        raise
    except Exception as error:  # onnxruntime's own errors share no base
        log.warning("%s is damaged (%s): writing it again", file, error)
        return None
    if session.get_modelmeta().custom_metadata_map.get(ONNX_FINGERPRINT) != fingerprint:
        log.warning("%s is a copy of another model: writing it again", file)
        return None
    return OnnxNetwork(session, file, input="crops", output="vectors", dim=dim)
