"""What goes into a gallery and what comes out."""

import hashlib
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray


class Sample(NamedTuple):
    """One face of a person.

    Attributes:
        vector: `float [d]` of unit length, of the gallery's model.
        source: name of the photo, for people to read.
        crop: SHA-256 of the crop's bytes; empty where there is no crop: then that of the vector's bytes.
        box: x0, y0, x1, y1 in pixels of the photo.
        score: the detector's, 0..1.
        kept: the crop as PNG, if the gallery is to keep it.
    """

    vector: NDArray[np.floating]
    source: str = ""
    crop: bytes = b""
    box: tuple[float, float, float, float] | None = None
    score: float | None = None
    kept: bytes | None = None

    def digest(self) -> bytes:
        """What makes two samples the same one: 32 bytes."""
        return self.crop or hashlib.sha256(np.asarray(self.vector, np.float32).tobytes()).digest()


class Person(NamedTuple):
    """Somebody enrolled."""

    id: UUID
    name: str
    note: str
    samples: int
    created: datetime


class Kept(NamedTuple):
    """What a gallery tells about a sample, its vector apart."""

    crop: str
    source: str
    box: tuple[float, float, float, float] | None
    score: float | None
    created: datetime


class Enrolled(NamedTuple):
    """What became of an enrolment.

    Attributes:
        person: as they are now.
        new: how many of the samples were.
        known: how many the person had already.
        unlike: how many are not like the samples that the person had; see `Doubt`.
    """

    person: Person
    new: int
    known: int
    unlike: int


class Doubt(NamedTuple):
    """What speaks against a vector's being the person it is said to be.

    Attributes:
        looks_like: somebody else whom a search would name, or None.
        unlike: the similarity to the nearest of the person's own samples where it is below the threshold of one
            comparison, or else None; also None while the person has no samples.
    """

    looks_like: "Match | None"
    unlike: float | None


class Match(NamedTuple):
    """A person that a vector is near to.

    Attributes:
        person: id.
        name: of the person.
        similarity: cosine to the nearest of the person's samples, -1..1.
        probability: that this similarity is one person's, 0..1, when either answer is as likely beforehand;
            None where the model was not evaluated.
        accepted: whether the similarity passes the threshold.
    """

    person: UUID
    name: str
    similarity: float
    probability: float | None
    accepted: bool


class Rule(NamedTuple):
    """The threshold of a search, and what it holds.

    Attributes:
        threshold: accept a similarity at or above it.
        far: false accept rate of one comparison with one person; None for a threshold given by hand.
        search_far: that of the whole search, 1 - (1 - far)^persons; None likewise.
        persons: enrolled at the time.
    """

    threshold: float
    far: float | None
    search_far: float | None
    persons: int


class Answer(NamedTuple):
    """Who is it? The nearest persons, nearest first, and the rule they were judged by."""

    matches: tuple[Match, ...]
    rule: Rule

    @property
    def person(self) -> Match | None:
        """The nearest person if accepted, or else None: nobody we know."""
        return self.matches[0] if self.matches and self.matches[0].accepted else None


class Erased(NamedTuple):
    """How many samples went, and whether the log of changes was deleted too, not only marked for reuse."""

    samples: int
    log_deleted: bool


class Event(NamedTuple):
    """Who did what, without names of persons and without vectors."""

    at: datetime
    actor: str
    action: str
    person: UUID | None
    samples: int


class Size(NamedTuple):
    """How much a gallery holds."""

    persons: int
    samples: int
