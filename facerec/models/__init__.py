"""Models: crops in, unit vectors out; ours, ensembles of ours, and ONNX files from elsewhere."""

from facerec.models.base import CropModel
from facerec.models.cached_embeddings import embed_members, embed_rows, embeddings_key
from facerec.models.embedder import Embedder
from facerec.models.ensemble import Ensemble
from facerec.models.space import Space
from facerec.models.store import load

__all__ = ["CropModel", "Embedder", "Ensemble", "Space", "embed_members", "embed_rows", "embeddings_key", "load"]
