"""Write the network of a model folder for ONNX Runtime."""

import logging
from pathlib import Path

import torch

from facerec.crops.contract import CROP_SIZE
from facerec.models import store
from facerec.models.folder import ONNX_FINGERPRINT
from facerec.runtime.files import replace_file


def write_onnx(folder: Path, file: Path, fingerprint: str) -> None:
    """Write the network of a model folder to `file`, with the fingerprint of the model in it.

    Its input is `crops`, `uint8 [n, 3, 112, 112]`, its output `vectors`, `float32 [n, d]`.

    Raises:
        ModelError: there is no model.
        OSError: the disk refuses.
    """
    for name in ("onnxscript", "onnx_ir"):  # they tell of every step
        logging.getLogger(name).setLevel(logging.WARNING)
    program = torch.onnx.export(
        store.load(folder),
        (torch.zeros(2, 3, CROP_SIZE, CROP_SIZE, dtype=torch.uint8),),
        input_names=["crops"],
        output_names=["vectors"],
        dynamic_shapes={"crops": {0: torch.export.Dim("n", max=2**16)}},
        dynamo=True,
        verbose=False,
    )
    assert program  # only the old exporter returns None
    proto = program.model_proto
    entry = proto.metadata_props.add()
    entry.key, entry.value = ONNX_FINGERPRINT, fingerprint
    replace_file(file, proto.SerializeToString())
