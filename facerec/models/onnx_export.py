"""Write networks for ONNX Runtime."""

import logging
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from facerec.crops.contract import CROP_SIZE
from facerec.errors import ConfigError
from facerec.models import store
from facerec.models.crop_model import CropModel
from facerec.models.folder import ONNX_FINGERPRINT
from facerec.runtime.files import replace_file
from facerec.runtime.onnx_session import open_session

log = logging.getLogger(__name__)

_OLDEST_OPSET = 18
_ROUNDING = 1e-5  # how far a number of a unit vector may be off


def write_onnx(folder: Path, file: Path, fingerprint: str) -> None:
    """Write the network of a model folder to `file`, with the fingerprint of the model in it.

    Its input is `crops`, `uint8 [n, 3, 112, 112]`, its output `vectors`, `float32 [n, d]`.

    Raises:
        ModelError: there is no model.
        OSError: the disk refuses.
    """
    network = store.load(folder)
    proto = traced(network) or export(network, torch.uint8)
    entry = proto.metadata_props.add()
    entry.key, entry.value = ONNX_FINGERPRINT, fingerprint
    replace_file(file, proto.SerializeToString())


def traced(network: CropModel) -> Any | None:
    """The network as `export` writes it, by PyTorch's older exporter, in a quarter of the time or less.

    It only records what is done with two crops. So None where the way depended on the crops, where the vectors of
    three others are not the network's, where it doesn't know an operator, or where PyTorch no longer has it.
    """
    content = BytesIO()
    try:
        import onnx

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is said to be the older one
            warnings.simplefilter("error", torch.jit.TracerWarning)  # type: ignore[attr-defined]
            torch.onnx.export(
                network,
                (torch.zeros(2, 3, CROP_SIZE, CROP_SIZE, dtype=torch.uint8),),
                content,  # type: ignore[arg-type]  # this exporter takes streams, too
                dynamo=False,
                input_names=["crops"],
                output_names=["vectors"],
                dynamic_axes={"crops": {0: "n"}, "vectors": {0: "n"}},
            )
        crops = np.random.default_rng(0).integers(0, 256, (3, 3, CROP_SIZE, CROP_SIZE), dtype=np.uint8)
        [vectors] = open_session(content.getvalue()).run(None, {"crops": crops})
        np.testing.assert_allclose(vectors, network.embed(crops), rtol=0, atol=_ROUNDING)
        return onnx.load_from_string(content.getvalue())
    except Exception as error:  # the libraries' errors share no base
        log.debug("the older exporter can't write this network: %s", error)
        return None


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
