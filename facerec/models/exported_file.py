"""A model as an ONNX file for other programs, bytes of crops in and unit vectors out, with its contract."""

from dataclasses import replace
from pathlib import Path

import torch
import yaml

from facerec.crops.contract import Crops
from facerec.models.base import CropEmbedder
from facerec.models.crop_model import CropModel
from facerec.models.folder import as_json
from facerec.models.folder_model import FolderModel
from facerec.models.model import Model
from facerec.models.onnx_export import export
from facerec.models.onnx_model import OnnxModel
from facerec.models.onnx_module import OnnxEmbedder
from facerec.models.quantisation import quantise

STATISTICS = "statistics.json"  # beside the contract: thresholds, and on whom the model was trained


def write_exported(model: Model, file: Path, *, opset: int | None = None, calibration: Crops | None = None) -> int:
    """Write `FILE.onnx`, its contract `FILE.yaml`, and `statistics.json`.

    The network's input is `crops`, `uint8 [n, 3, 112, 112]`, RGB; its output `vectors`, `float32 [n, d]`, of unit
    length; n is any number.

    Args:
        model: on the CPU.
        file: to write.
        opset: of ONNX's operators; None: PyTorch's choice.
        calibration: crops `uint8 [N, 3, 112, 112]` that 8-bit arithmetic is fitted to; None: stay with floating
            point. Its vectors are others, so the model's thresholds do not come along.

    Returns:
        The opset.

    Raises:
        ConfigError: the network can't be written with this opset.
        ModelError: an ONNX network can't be converted.
    """
    network = OnnxEmbedder.of_model(model) if isinstance(model, OnnxModel) else own_network(model)
    assert isinstance(network, CropModel)
    proto = export(network, torch.uint8, opset)
    content = proto.SerializeToString()
    statistics = replace(model.statistics, ensemble=None)  # the file has no members
    if calibration is not None:
        content = quantise(content, calibration)
        statistics = replace(statistics, thresholds=(), sample_exponent=None, calibration=None, evaluated_on=None)
    file.write_bytes(content)
    terms = {"weights": file.name, "embedding_dim": model.dim, "colour": "RGB", "mean": 0, "std": 1}
    licence = next((model.origin[key] for key in ("licence", "licences") if model.origin.get(key)), None)
    about = {"licence": str(licence)} if licence else {}
    about["origin"] = f"{model.path}, fingerprint {model.fingerprint}"
    contract = yaml.safe_dump({**terms, **about}, sort_keys=False, allow_unicode=True)
    file.with_suffix(".yaml").write_text(contract, encoding="utf-8")
    file.with_name(STATISTICS).write_bytes(as_json(statistics.to_json(), file.parent))
    written: int = next(entry.version for entry in proto.opset_import if entry.domain == "")
    return written


def own_network(model: Model) -> CropEmbedder:
    """What the model itself computes with: PyTorch, or ONNX Runtime if it came as an ONNX file."""
    assert isinstance(model, FolderModel | OnnxModel)
    return model.network
