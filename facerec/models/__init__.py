"""Models: crops in, unit vectors out. Embedders, ensembles of them, and external ONNX models.

Names are imported when first used: a gallery needs only the modules without torch.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from facerec.models.base import CropEmbedder
    from facerec.models.cached_embeddings import embed_members, embed_rows, embeddings_key
    from facerec.models.embedder import Embedder
    from facerec.models.ensemble import Ensemble
    from facerec.models.flip import FlipEmbedder, FlippedModel
    from facerec.models.model import Model, open_model
    from facerec.models.record import ModelRecord
    from facerec.models.statistics import Sigmoid, Statistics, Threshold
    from facerec.models.store import load

__all__ = [
    "CropEmbedder",
    "Embedder",
    "Ensemble",
    "FlipEmbedder",
    "FlippedModel",
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
    "base": ["CropEmbedder"],
    "cached_embeddings": ["embed_members", "embed_rows", "embeddings_key"],
    "embedder": ["Embedder"],
    "ensemble": ["Ensemble"],
    "flip": ["FlipEmbedder", "FlippedModel"],
    "model": ["Model", "open_model"],
    "record": ["ModelRecord"],
    "statistics": ["Sigmoid", "Statistics", "Threshold"],
    "store": ["load"],
}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_MODULES)
