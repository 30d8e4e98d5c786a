"""Photos → faces → embeddings → names, without knowing the database."""

from facerec.recognition.assignment import Named, assign, identify_photo
from facerec.recognition.draw import draw
from facerec.recognition.kept_crops import crop_again, pngs_of
from facerec.recognition.ledger import Ledger
from facerec.recognition.lines import answer_line, line_writer
from facerec.recognition.naming import names_in_photos
from facerec.recognition.pipeline import (
    NO_VECTOR,
    EmbedCrops,
    PhotoFaces,
    detect_photos,
    embed_files,
    embed_photos,
)
from facerec.recognition.quality import Gates
from facerec.recognition.review import review, review_people, sample_of, weakness
from facerec.recognition.xmp_writer import XmpWriter

__all__ = [
    "NO_VECTOR",
    "EmbedCrops",
    "Gates",
    "Ledger",
    "Named",
    "PhotoFaces",
    "XmpWriter",
    "answer_line",
    "assign",
    "crop_again",
    "detect_photos",
    "draw",
    "embed_files",
    "embed_photos",
    "identify_photo",
    "line_writer",
    "names_in_photos",
    "pngs_of",
    "review",
    "review_people",
    "sample_of",
    "weakness",
]
