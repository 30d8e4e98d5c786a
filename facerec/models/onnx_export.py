"""Write networks for ONNX Runtime."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facerec.crops.contract import CROP_SIZE
from facerec.errors import ConfigError
from facerec.models import store
from facerec.models.folder import ONNX_FINGERPRINT
from facerec.runtime.files import replace_file

_OLDEST_OPSET = 18


def write_onnx(folder: Path, file: Path, fingerprint: str) -> None:
    """Write the network of a model folder to `file`, with the fingerprint of the model in it.

    Its input is `crops`, `uint8 [n, 3, 112, 112]`, its output `vectors`, `float32 [n, d]`.

    Raises:
        ModelError: there is no model.
        OSError: the disk refuses.
    """
    proto = export(store.load(folder), torch.uint8)
    entry = proto.metadata_props.add()
    entry.key, entry.value = ONNX_FINGERPRINT, fingerprint
    replace_file(file, proto.SerializeToString())


def export(network: nn.Module, dtype: torch.dtype, opset: int | None = None) -> Any:
    """The network as an ONNX `ModelProto`: input `crops`, `[n, 3, 112, 112]` of `dtype`, output `vectors`.

    Args:
        network: in evaluation mode, on the CPU.
        dtype: of the crops.
        opset: of ONNX's operators; None: PyTorch's choice.

    Raises:
        ConfigError: the network can't be written with this opset.
    """
    for name in ("onnxscript", "onnx_ir"):  # they tell of every step
        logging.getLogger(name).setLevel(logging.WARNING)
    if opset is not None and opset < _OLDEST_OPSET:
        raise ConfigError(f"opset: must be {_OLDEST_OPSET} or above, not {opset}: PyTorch writes no older one")
    program = torch.onnx.export(
        network,
        (torch.zeros(2, 3, CROP_SIZE, CROP_SIZE, dtype=dtype),),
        input_names=["crops"],
        output_names=["vectors"],
        dynamic_shapes=[{0: torch.export.Dim("n", max=2**16)}],
        dynamo=True,  # the default since torch 2.9
        verbose=False,
        opset_version=opset,
    )
    assert program  # only the old exporter returns None
    proto = program.model_proto
    written = next(entry.version for entry in proto.opset_import if entry.domain == "")
    if opset not in (None, written):  # what can't be had is left as it is
        raise ConfigError(f"opset: this network can't be written with {opset}, but with {written}")
    return proto
