"""The gallery: a database of persons, searched by embedding."""

from facerec.gallery.audit import acting_as
from facerec.gallery.gallery import Gallery
from facerec.gallery.records import Answer, Doubt, Enrolled, Erased, Event, Kept, Match, Person, Rule, Sample, Size

__all__ = [
    "Answer",
    "Doubt",
    "Enrolled",
    "Erased",
    "Event",
    "Gallery",
    "Kept",
    "Match",
    "Person",
    "Rule",
    "Sample",
    "Size",
    "acting_as",
]
