"""Weights of a pickled module as an ONNX file, once; where it is there, torch is not needed."""

import logging
from pathlib import Path

from facerec.crops.contract import CROP_SIZE
from facerec.errors import ModelError
from facerec.models.catalogue.cache import converted_file
from facerec.models.catalogue.entry import Entry
from facerec.models.catalogue.fetch import fetch
from facerec.models.catalogue.pickled_module import read_tensors
from facerec.runtime.files import replace_file

log = logging.getLogger(__name__)


def network_file(entry: Entry, *, offline: bool = False, accept_licence: bool = False) -> Path:
    """The ONNX file of a ready-made model, in the cache.

    Raises:
        ModelError: as `fetch`; or the weights must be converted, and torch is not installed.
    """
    given = {"offline": offline, "accept_licence": accept_licence}
    if not entry.pickled:
        return fetch(entry, **given)
    file = converted_file(entry)
    if not file.exists():
        weights = fetch(entry, **given)
        log.info("%s: converting its weights to ONNX, once", entry.name)
        replace_file(file, _converted(weights, entry))
    return file


def _converted(weights: Path, entry: Entry) -> bytes:
    """Raw values `float32 [N, 3, 112, 112]`, as the entry says → vectors, not scaled to unit length."""
    try:
        import onnxscript  # noqa: F401 the exporter wants it
        import torch

        from facerec.backbones import MobileFaceNet
    except ImportError as error:
        raise ModelError(
            f"{entry.name}: its weights are converted once, which needs torch: install facerec[train], or copy "
            f"{converted_file(entry)} from a machine that has it"
        ) from error
    network = MobileFaceNet(embedding_dim=entry.embedding_dim)
    tensors = {name: torch.from_numpy(values) for name, values in read_tensors(weights).items()}
    network.load_state_dict(tensors)
    for name in ("onnxscript", "onnx_ir"):  # they tell of every step
        logging.getLogger(name).setLevel(logging.WARNING)
    program = torch.onnx.export(
        network.eval(),
        (torch.zeros(2, 3, CROP_SIZE, CROP_SIZE),),
        input_names=["crops"],
        output_names=["vectors"],
        dynamic_shapes={"x": {0: torch.export.Dim("n", max=2**16)}},
        verbose=False,
    )
    assert program  # only the old exporter returns None
    serialized: bytes = program.model_proto.SerializeToString()
    return serialized
