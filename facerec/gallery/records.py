"""What goes into a gallery and what comes out."""

import hashlib
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

SHORT_ID = 8  # characters of an id that tables show, and that stand for it


class Sample(NamedTuple):
    """One face of a person.

    Attributes:
        vector: `float [d]` of unit length, of the gallery's model.
        source: name of the photo, to show.
        crop: SHA-256 of the crop's bytes, or empty if there is no crop.
        box: x0, y0, x1, y1 in pixels of the photo.
        score: the detector's, 0..1.
        kept: the crop as PNG if the gallery is to keep it.
    """

    vector: NDArray[np.floating]
    source: str = ""
    crop: bytes = b""
    box: tuple[float, float, float, float] | None = None
    score: float | None = None
    kept: bytes | None = None

    def digest(self) -> bytes:
        """32 bytes that are equal for two copies of one sample."""
        return self.crop or hashlib.sha256(np.asarray(self.vector, np.float32).tobytes()).digest()

    def row(self, person: UUID) -> list[Any]:
        """The values of its row: person, crop, vector, source, box, score, kept."""
        box = self.box and [float(edge) for edge in self.box]
        return [person, self.digest(), self.vector, self.source, box, self.score, self.kept]


class Person(NamedTuple):
    """Somebody enrolled.

    Attributes:
        id: of the person.
        name: which two persons may share.
        note: any text.
        samples: how many there are.
        created: when.
        ignored: whether searches recognise the person without giving the name.
        picture: SHA-256 of the oldest crop that was kept, in hex; see `Gallery.kept_crop`.
    """

    id: UUID
    name: str
    note: str
    samples: int
    created: datetime
    ignored: bool = False
    picture: str | None = None

    @property
    def short_id(self) -> str:
        """The first characters of the id, which stand for it."""
        return str(self.id)[:SHORT_ID]


class StoredSample(NamedTuple):
    """A sample as the gallery shows it: without its vector.

    Attributes:
        crop: SHA-256 of the crop, in hex.
        source, box, score: as in `Sample`.
        created: when.
        kept: whether the crop was kept; see `Gallery.kept_crop`.
    """

    crop: str
    source: str
    box: tuple[float, float, float, float] | None
    score: float | None
    created: datetime
    kept: bool


class Enrolled(NamedTuple):
    """The outcome of an enrolment.

    Attributes:
        person: after it.
        new: samples that were added.
        known: samples that the person already had.
        unlike: samples that don't look like the person's earlier ones; see `EnrolmentCheck`.
        similar_names: of other persons, which differ from this name in upper and lower case only.
    """

    person: Person
    new: int
    known: int
    unlike: int
    similar_names: tuple[str, ...] = ()


class EnrolmentCheck(NamedTuple):
    """Signs that a vector is not of the person it is about to be enrolled as.

    Attributes:
        looks_like: another person whom a search returns for it, or None.
        unlike: its similarity to the nearest sample of the person, if that is below the threshold of one
            comparison; None if it is not, or if the person has no samples.
    """

    looks_like: "Match | None"
    unlike: float | None


class Match(NamedTuple):
    """A person near to a vector.

    Attributes:
        person: id.
        name: of the person.
        similarity: cosine to the person's nearest sample, -1..1.
        probability: that both are of one person, 0..1, given even prior odds; None if the model was not evaluated.
        accepted: whether the similarity reaches the threshold.
        ignored: whether the person is recognised without giving the name.
    """

    person: UUID
    name: str
    similarity: float
    probability: float | None
    accepted: bool
    ignored: bool = False


class DecisionRule(NamedTuple):
    """The threshold of a search, and the false accept rates it holds.

    Attributes:
        threshold: a similarity of at least this is accepted.
        far: false accept rate of one comparison; None if the threshold was given by hand.
        search_far: false accept rate of the whole search, 1 - (1 - far)^comparisons; None likewise.
        persons: enrolled at the time.
        comparisons: independent ones that the search is worth, see `decision.comparisons`.
        certain: a similarity of at least this leaves no doubt: it holds a tenth of `far`; None if that was not
            measured.
        extrapolated: whether `far` is lower than any rate that was measured, so that these figures are no more than
            likely.
    """

    threshold: float
    far: float | None
    search_far: float | None
    persons: int
    comparisons: float
    certain: float | None = None
    extrapolated: bool = False


class Answer(NamedTuple):
    """The result of a search: the nearest persons, nearest first, and the rule that accepted or refused them."""

    matches: tuple[Match, ...]
    rule: DecisionRule

    @property
    def person(self) -> Match | None:
        """The nearest person if accepted, or None: a stranger, or somebody who is ignored."""
        return self.matches[0] if self.matches and self.matches[0].accepted and not self.ignored else None

    @property
    def ignored(self) -> bool:
        """Whether the nearest person is accepted, and is one to be ignored."""
        return bool(self.matches) and self.matches[0].accepted and self.matches[0].ignored


class Erasure(NamedTuple):
    """How many samples were erased, and whether old write-ahead logs were deleted, not only marked for reuse."""

    samples: int
    log_deleted: bool


class Event(NamedTuple):
    """An entry of the audit; without names of persons and without vectors."""

    at: datetime
    actor: str
    action: str
    person: UUID | None
    samples: int


class Corrected(NamedTuple):
    """What a correction did.

    Attributes:
        person: whom it concerns, as they are now.
        change: id with which it can be undone; None: it can't be.
    """

    person: Person
    change: UUID | None


class Deleted(NamedTuple):
    """How many samples were deleted, and the id with which that can be undone; None: it can't be."""

    samples: int
    change: UUID | None


class Change(NamedTuple):
    """A correction that can be undone.

    Attributes:
        id: of the change.
        at: when it was made.
        expires: until when it can be undone.
        action: rename, merge, move, delete, deny, allow, ignore or unignore.
        samples: how many samples and denied faces it touched.
        names: of its persons, as they were before it.
    """

    id: UUID
    at: datetime
    expires: datetime
    action: str
    samples: int
    names: tuple[str, ...]

    @property
    def short_id(self) -> str:
        """The first characters of the id, which stand for it."""
        return str(self.id)[:SHORT_ID]


class GallerySize(NamedTuple):
    """How many persons and samples a gallery holds."""

    persons: int
    samples: int
