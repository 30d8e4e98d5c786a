"""Weights of a pickled module as an ONNX file, once; where it is there, torch is not needed."""

import logging
from pathlib import Path

from facerec.errors import ModelError
from facerec.models.catalogue.cache import converted_file
from facerec.models.catalogue.entry import Entry
from facerec.models.catalogue.fetch import disk_errors, fetch
from facerec.models.catalogue.pickled_module import read_tensors
from facerec.runtime.files import replace_file

log = logging.getLogger(__name__)


def network_file(entry: Entry, *, offline: bool = False, accept_licence: bool = False) -> Path:
    """The ONNX file of a ready-made model, in the cache.

    Raises:
        ModelError: as `fetch`; or the weights must be converted, and torch is not installed.
    """
    if not entry.pickled:
        return fetch(entry, offline=offline, accept_licence=accept_licence)
    file = converted_file(entry)
    if not file.exists():
        weights = fetch(entry, offline=offline, accept_licence=accept_licence)
        from filelock import FileLock  # only now, as in `fetch`

        with disk_errors(file), FileLock(file.with_name(f".{entry.name}.lock")):
            if not file.exists():  # else another process has converted them meanwhile
                log.info("%s: converting its weights to ONNX, once", entry.name)
                replace_file(file, _converted(weights, entry))
    return file


def _converted(weights: Path, entry: Entry) -> bytes:
    """Raw values `float32 [N, 3, 112, 112]`, as the entry says → vectors, not scaled to unit length."""
    try:
        import onnxscript  # noqa: F401 the exporter wants it
        import torch

        from facerec.backbones import MobileFaceNet
        from facerec.models.onnx_export import export
    except ImportError as error:
        raise ModelError(
            f"{entry.name}: its weights are converted once, which needs torch: install facerec[train], or copy "
            f"{converted_file(entry)} from a machine that has it"
        ) from error
    network = MobileFaceNet(embedding_dim=entry.embedding_dim)
    network.load_state_dict({name: torch.from_numpy(values) for name, values in read_tensors(weights).items()})
    serialized: bytes = export(network.eval(), torch.float32).SerializeToString()
    return serialized
