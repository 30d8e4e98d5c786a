"""Photos → faces → embeddings → names, without knowing the database."""

from facerec.recognition.draw import draw
from facerec.recognition.ledger import Ledger
from facerec.recognition.pipeline import NO_VECTOR, EmbedCrops, PhotoFaces, embed_files, embed_photos
from facerec.recognition.quality import Gates
from facerec.recognition.review import review, weakness

__all__ = [
    "NO_VECTOR",
    "EmbedCrops",
    "Gates",
    "Ledger",
    "PhotoFaces",
    "draw",
    "embed_files",
    "embed_photos",
    "review",
    "weakness",
]
