"""The gallery: a database of persons, searched by embedding."""

from facerec.gallery.actor import acting_as
from facerec.gallery.gallery import Gallery
from facerec.gallery.records import Answer, Doubt, Enrolled, Erased, Event, Kept, Match, Person, Rule, Sample, Size
from facerec.gallery.space import Space

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
    "Space",
    "acting_as",
]
