"""Write dlib's face recognition network, out of an npm package, as an external ONNX model.

    npm install --prefix outputs/npm --ignore-scripts @vladmandic/face-api
    MODELS=outputs/npm/node_modules/@vladmandic/face-api/model
    python benchmarks/dlib_model.py $MODELS/face_recognition_model-weights_manifest.json outputs/dlib

Writes `OUT/dlib.onnx` and the contract `OUT/dlib.yaml`. The network is the ResNet with 29 convolutions of
`dlib_face_recognition_resnet_model_v1`, which its author Davis King put in the public domain
(github.com/davisking/dlib-models), with weights in 8 bits as face-api.js carries them (MIT). It crops the crop
again, to the 150 pixels that dlib expects.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from facerec.crops.align import ARCFACE_TEMPLATE
from facerec.crops.contract import CROP_SIZE

Weights = Mapping[str, NDArray[np.float32]]

CHIP, DIM = 150, 128
MEAN, RANGE = (122.782, 117.001, 104.298), 256  # as dlib trained; this package's fork of face-api.js divides by 255
EYES = np.array([[0.3182, 0.3142], [0.6685, 0.3142]])  # in dlib's chip with padding 0.25: middles of the corners
# name and kind of each block; after the last two that shrink, a convolution is a row and a column short
BLOCKS = [
    *((f"conv32_{number}", "plain") for number in (1, 2, 3)),
    *(("conv64_down", "down"), *((f"conv64_{number}", "plain") for number in (1, 2, 3))),
    *(("conv128_down", "down"), ("conv128_1", "plain"), ("conv128_2", "plain")),
    *(("conv256_down", "short"), ("conv256_1", "plain"), ("conv256_2", "plain"), ("conv256_down_out", "short")),
]


def read_weights(manifest: Path) -> Weights:
    """Name → `float32`, from the manifest of TensorFlow.js and the files beside it, de-quantised."""
    weights = {}
    for group in json.loads(manifest.read_text()):
        content, place = b"".join((manifest.parent / path).read_bytes() for path in group["paths"]), 0
        for entry in group["weights"]:
            packed = entry.get("quantization")
            kind = np.dtype(packed["dtype"] if packed else entry["dtype"])
            values = np.frombuffer(content, kind, int(np.prod(entry["shape"])), place)
            place += values.nbytes
            plain = values * packed["scale"] + packed["min"] if packed else values
            weights[entry["name"]] = plain.astype(np.float32).reshape(entry["shape"])
        if place != len(content):
            raise SystemExit(f"{manifest}: speaks of {place} bytes, its files hold {len(content)}")
    return weights


def chip_columns() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Matrices `[112, 150]`, for x and y, that cut the chip out of a crop: linear, the crop's edge repeated."""
    eyes = ARCFACE_TEMPLATE[:2]
    scale = (eyes[1, 0] - eyes[0, 0]) / ((EYES[1, 0] - EYES[0, 0]) * CHIP)
    matrices = []
    for axis in (0, 1):
        places = (np.arange(CHIP) - EYES[:, axis].mean() * CHIP) * scale + eyes[:, axis].mean()
        distance = np.abs(np.clip(places, 0, CROP_SIZE - 1) - np.arange(CROP_SIZE)[:, None])
        matrices.append(np.maximum(0, 1 - distance).astype(np.float32))
    return matrices[0], matrices[1]


class Graph:
    """Nodes and constants, in the order they are computed."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str | NDArray[np.generic], **attributes: Any) -> str:
        """Name of what the operator gives; arrays among its inputs become constants."""
        names = []
        for given in inputs:
            if not isinstance(given, str):
                self.constants.append(numpy_helper.from_array(given, f"constant{len(self.constants)}"))
            names.append(given if isinstance(given, str) else self.constants[-1].name)
        output = f"{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def convolve(self, x: str, weights: Weights, name: str, stride: int = 1) -> str:
        """A convolution with its scale multiplied in; only those of stride 1 are padded."""
        scale = weights[f"{name}/scale/weights"]
        filters = weights[f"{name}/conv/filters"].transpose(3, 2, 0, 1) * scale[:, None, None, None]
        bias = weights[f"{name}/conv/bias"] * scale + weights[f"{name}/scale/biases"]
        pads = [1 if stride == 1 else 0] * 4
        return self.add("Conv", x, np.ascontiguousarray(filters), bias, strides=[stride, stride], pads=pads)

    def block(self, x: str, weights: Weights, name: str, kind: str) -> str:
        """A residual block; one that shrinks averages its shortcut, and fills new channels with 0."""
        stride = 1 if kind == "plain" else 2
        inner = self.add("Relu", self.convolve(x, weights, f"{name}/conv1", stride))
        inner = self.convolve(inner, weights, f"{name}/conv2")
        if kind == "short":
            inner = self.add("Pad", inner, np.array([0, 0, 0, 0, 0, 0, 1, 1]))
        if kind != "plain":
            x = self.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
            *_, before, after = weights[f"{name}/conv1/conv/filters"].shape
            if after > before:
                x = self.add("Pad", x, np.array([0, 0, 0, 0, 0, after - before, 0, 0]))
        return self.add("Relu", self.add("Add", inner, x))


def make_network(weights: Weights) -> onnx.ModelProto:
    """Crops `float32 [N, 3, 112, 112]`, RGB in 0..255 → `[N, 128]`, not scaled to unit length."""
    graph = Graph()
    across, down = chip_columns()
    x = graph.add("MatMul", np.ascontiguousarray(down.T), graph.add("MatMul", "crops", across))
    x = graph.add("Sub", x, np.array(MEAN, np.float32).reshape(3, 1, 1))
    x = graph.add("Div", x, np.float32(RANGE).reshape(1))
    x = graph.add("Relu", graph.convolve(x, weights, "conv32_down", 2))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    for name, kind in BLOCKS:
        x = graph.block(x, weights, name, kind)
    x = graph.add("MatMul", graph.add("Flatten", graph.add("GlobalAveragePool", x)), weights["fc"])
    given = helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["N", 3, CROP_SIZE, CROP_SIZE])
    made = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", DIM])
    network = helper.make_graph(graph.nodes, "dlib", [given], [made], graph.constants)
    model = helper.make_model(network, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def main(manifest: Path, out: Path) -> None:
    """Write network and contract."""
    out.mkdir(parents=True, exist_ok=True)
    onnx.save(make_network(read_weights(manifest)), str(out / "dlib.onnx"))
    contract = {"weights": "dlib.onnx", "embedding_dim": DIM, "colour": "RGB", "mean": 0, "std": 1}
    (out / "dlib.yaml").write_text(yaml.safe_dump(contract, sort_keys=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
