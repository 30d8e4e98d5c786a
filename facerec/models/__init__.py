"""Models: crops in, unit vectors out; ours, ensembles of ours, and ONNX files from elsewhere.

What is offered here is imported when first asked for: a gallery needs the light half, without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facerec.models.base import CropModel
    from facerec.models.cached_embeddings import embed_members, embed_rows, embeddings_key
    from facerec.models.embedder import Embedder
    from facerec.models.ensemble import Ensemble
    from facerec.models.model import Model, open_model
    from facerec.models.record import ModelRecord
    from facerec.models.statistics import Sigmoid, Statistics, Threshold
    from facerec.models.store import load

__all__ = [
    "CropModel",
    "Embedder",
    "Ensemble",
    "Model",
    "ModelRecord",
    "Sigmoid",
    "Statistics",
    "Threshold",
    "embed_members",
    "embed_rows",
    "embeddings_key",
    "load",
    "open_model",
]

_MODULES = {
    "base": ["CropModel"],
    "cached_embeddings": ["embed_members", "embed_rows", "embeddings_key"],
    "embedder": ["Embedder"],
    "ensemble": ["Ensemble"],
    "model": ["Model", "open_model"],
    "record": ["ModelRecord"],
    "statistics": ["Sigmoid", "Statistics", "Threshold"],
    "store": ["load"],
}
_HOMES = {name: f"facerec.models.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'facerec.models' has no attribute {name!r}")
