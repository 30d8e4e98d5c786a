"""Any model as a module of PyTorch: a member of an ensemble, or a teacher."""

import torch

from facerec.models.crop_model import CropModel
from facerec.models.folder_model import FolderModel
from facerec.models.model import Model
from facerec.models.onnx_model import OnnxModel
from facerec.models.onnx_module import OnnxEmbedder
from facerec.runtime.allocator import keep_freed_memory


def torch_module(model: Model, device: torch.device | str) -> CropModel:
    """The network of an opened model, on the device, in evaluation mode.

    Raises:
        ModelError: it is an ONNX network that can't be converted.
    """
    if isinstance(model, OnnxModel):
        keep_freed_memory()
        return OnnxEmbedder.of_model(model).to(device)
    assert isinstance(model, FolderModel)
    return model.network.to(device)
