"""Photos → faces → embeddings → names, without knowing the database."""

from facerec.recognition.draw import draw
from facerec.recognition.ledger import Ledger
from facerec.recognition.pipeline import (
    NO_VECTOR,
    EmbedCrops,
    PhotoFaces,
    detect_photos,
    embed_files,
    embed_photos,
)
from facerec.recognition.review import review, sample_of

__all__ = [
    "NO_VECTOR",
    "EmbedCrops",
    "Ledger",
    "PhotoFaces",
    "detect_photos",
    "draw",
    "embed_files",
    "embed_photos",
    "review",
    "sample_of",
]
