"""8-bit networks for ONNX Runtime: convolutions and matrices whose ranges were seen on real crops."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import Crops

_BATCH = 16
_QUANTISED = ["Conv", "Gemm", "MatMul"]  # normalisation of bytes and vectors stays in floating point


def quantise(network: bytes, crops: Crops) -> bytes:
    """The network with 8-bit weights (a scale for each channel) and activations, by ONNX Runtime's static method.

    Args:
        network: an ONNX file whose input `crops` is `uint8 [n, 3, 112, 112]`.
        crops: `uint8 [N, 3, 112, 112]`, to calibrate on: the ranges of activations are those that occur on them.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder:
        given, prepared, quantised = (str(Path(folder) / name) for name in ("given", "prepared", "quantised"))
        Path(given).write_bytes(network)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantised,
            _Calibration(crops),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return Path(quantised).read_bytes()


class _Calibration:
    """Crops a batch at a time, as ONNX Runtime's calibration asks for them."""

    def __init__(self, crops: Crops) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = (
            np.ascontiguousarray(crops[start : start + _BATCH]) for start in range(0, len(crops), _BATCH)
        )

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"crops": batch}
