"""The gallery: a database of persons, searched by embedding."""

from facerec.gallery.audit import acting_as
from facerec.gallery.corrections import Corrections
from facerec.gallery.gallery import Gallery
from facerec.gallery.records import (
    Answer,
    Change,
    Corrected,
    DecisionRule,
    Deleted,
    Enrolled,
    EnrolmentCheck,
    Erasure,
    Event,
    GallerySize,
    Match,
    Person,
    Sample,
    StoredSample,
)

__all__ = [
    "Answer",
    "Change",
    "Corrected",
    "Corrections",
    "DecisionRule",
    "Deleted",
    "Enrolled",
    "EnrolmentCheck",
    "Erasure",
    "Event",
    "Gallery",
    "GallerySize",
    "Match",
    "Person",
    "Sample",
    "StoredSample",
    "acting_as",
]
