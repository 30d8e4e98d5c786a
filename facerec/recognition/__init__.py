"""Photos → faces → embeddings → names, without knowing the database."""

from facerec.recognition.assignment import Named, assign, identify_photo
from facerec.recognition.draw import draw
from facerec.recognition.ledger import Ledger
from facerec.recognition.pipeline import NO_VECTOR, EmbedCrops, PhotoFaces, embed_files, embed_photos
from facerec.recognition.review import review

__all__ = [
    "NO_VECTOR",
    "EmbedCrops",
    "Ledger",
    "Named",
    "PhotoFaces",
    "assign",
    "draw",
    "embed_files",
    "embed_photos",
    "identify_photo",
    "review",
]
