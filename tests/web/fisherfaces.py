"""A model made in a second: Fisherfaces of ORL people, as the contract of an ONNX model."""

import json
from pathlib import Path

import numpy as np
import onnx
import yaml
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from facerec.crops import Crops, align
from facerec.data import orl
from facerec.faces import Detector
from facerec.job import CONFIG_DIR
from facerec.models import open_model

DIM = 24
CELL = 8  # pixels averaged on a side


def doubled(file: Path) -> Image.Image:
    """An ORL photo at twice its size, 184 by 224 pixels."""
    with Image.open(file) as image:
        return image.resize((2 * image.width, 2 * image.height), Image.Resampling.BILINEAR)


def detector() -> Detector:
    """The default detector."""
    default: Detector = instantiate(OmegaConf.load(CONFIG_DIR / "detector" / "retinaface.yaml"))
    return default


def make(folder: Path, people: int = 24, photos: int = 4) -> Path:
    """Write the model and its thresholds, measured on a quarter of the people; returns the contract."""
    files, names = _files(people, photos)
    crops = _crops(files)
    learn = names < people // 2 + people // 4
    contract = fit(folder, crops[learn], names[learn])
    vectors = open_model(contract).embed(crops[~learn])
    (folder / "statistics.json").write_text(json.dumps(_measure(vectors @ vectors.T, names[~learn])))
    return contract


def fit(
    folder: Path, crops: Crops, names: NDArray[np.generic], components: int = 48, shrinkage: float = 0.3
) -> Path:
    """Write the model that tells these people apart, without thresholds; returns the contract."""
    side = 112 // CELL
    grey = crops.mean(axis=1).reshape(-1, side, CELL, side, CELL).mean(axis=(2, 4)).reshape(len(crops), -1) / 255
    pca = PCA(components, random_state=0).fit(grey)
    lda = LinearDiscriminantAnalysis(solver="eigen", shrinkage=shrinkage)
    lda.fit(pca.transform(grey), names)
    count = min(DIM, len(crops))
    matrix = np.zeros((grey.shape[1], DIM), np.float32)
    projection = pca.components_.T @ lda.scalings_[:, :count]
    matrix[:, : projection.shape[1]] = projection
    _write(folder, matrix, -(pca.mean_ @ matrix))
    contract = folder / "model.yaml"
    terms = {"weights": "net.onnx", "embedding_dim": DIM, "colour": "RGB", "mean": 0.0, "std": 255.0}
    contract.write_text(yaml.safe_dump(terms))
    return contract


def _files(people: int, photos: int) -> tuple[list[Path], NDArray[np.int64]]:
    chosen = [file for file in orl().files if int(file.stem) <= photos and int(file.parent.name[1:]) <= people]
    return chosen, np.array([int(file.parent.name[1:]) - 1 for file in chosen])


def _crops(files: list[Path]) -> Crops:
    photos = [np.array(doubled(file).convert("RGB")) for file in files]
    faces = detector().find(photos)
    pairs = zip(photos, faces, strict=True)
    return np.concatenate([align(photo, in_photo[0].landmarks[None]) for photo, in_photo in pairs])


def _measure(similarity: NDArray[np.float32], names: NDArray[np.int64]) -> dict[str, object]:
    upper = np.triu(np.ones_like(similarity, bool), 1)
    same = names[:, None] == names
    impostors = np.sort(similarity[upper & ~same])
    rates = [0.1, 0.03, 0.01, 0.003]
    thresholds = [{"far": far, "threshold": float(np.quantile(impostors, 1 - far))} for far in rates]
    return {"thresholds": thresholds, "calibration": {"slope": 12.0, "intercept": -6.0}}


def _write(folder: Path, matrix: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    side = 112 // CELL
    nodes = [
        helper.make_node("AveragePool", ["crops"], ["cells"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("ReduceMean", ["cells", "axis"], ["grey"], keepdims=0),
        helper.make_node("Flatten", ["grey"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix", "bias"], ["vectors"]),
    ]
    assert matrix.shape[0] == side * side
    constants = [
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(matrix, "matrix"),
        numpy_helper.from_array(bias.astype(np.float32), "bias"),
    ]
    inputs = [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["N", 3, 112, 112])]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["N", DIM])]
    graph = helper.make_graph(nodes, "fisherfaces", inputs, outputs, constants)
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(network, str(folder / "net.onnx"))
