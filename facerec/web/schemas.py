"""What goes over the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from facerec.errors import GalleryError
from facerec.gallery.names import LONGEST_NAME, clean_name


def _clean(name: str) -> str:
    try:
        return clean_name(name)
    except GalleryError as error:
        raise ValueError(str(error)) from error  # the only kind that pydantic takes for a refusal


_RULE = f"one line of text, of at most {LONGEST_NAME} characters when white space is folded"
PersonName = Annotated[str, Field(description=_RULE), AfterValidator(_clean)]


class PersonOut(BaseModel):
    """Somebody enrolled."""

    id: UUID
    name: str
    note: str
    samples: int
    created: datetime


class SampleOut(BaseModel):
    """A face of a person, as the gallery keeps it; the vector stays there."""

    crop: str = Field(description="SHA-256 of the crop")
    source: str = Field(description="name of the photo's file")
    box: tuple[float, float, float, float] | None
    score: float | None
    created: datetime


class PersonWithSamples(PersonOut):
    """Somebody, and what is kept of them."""

    faces: list[SampleOut]


class MatchOut(BaseModel):
    """A person that a face is near to."""

    id: UUID
    name: str
    similarity: float = Field(ge=-1, le=1)
    probability: float | None = Field(description="that it is one person, 0..1; null if never measured")
    accepted: bool


class RuleOut(BaseModel):
    """The threshold, and how often it takes a stranger for somebody in one search."""

    threshold: float
    far: float | None
    search_far: float | None
    persons: int


class FaceOut(BaseModel):
    """A face in a photo."""

    number: int = Field(description="counts from 1, best score first; enrol it by this number")
    box: tuple[float, float, float, float] = Field(description="x0, y0, x1, y1 in pixels of the upright photo")
    landmarks: list[tuple[float, float]] = Field(description="eyes, nose, mouth corners")
    score: float
    person: str | None = Field(description="the name, or null: nobody we know")
    matches: list[MatchOut] = Field(description="nearest first")
    rule: RuleOut


class PhotoOut(BaseModel):
    """Who is in a photo."""

    width: int
    height: int
    faces: list[FaceOut]


class PhotoTaken(BaseModel):
    """What became of one photo of an enrolment."""

    photo: str
    problem: str | None = Field(description="why nobody was enrolled from it, or null")
    looks_like: str | None = Field(description="another person whom the face is near to, or null")
    unlike: float | None = Field(
        description="similarity to the nearest sample of the person of that name, where it is too low, or null"
    )


class EnrolledOut(BaseModel):
    """An enrolment, which is on disk."""

    person: PersonOut
    new: int
    known: int = Field(description="samples that were there already")
    photos: list[PhotoTaken]


class Rename(BaseModel):
    """Another name for a person."""

    name: PersonName
    # PostgreSQL keeps no NUL
    note: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] | None = None


class Merge(BaseModel):
    """Into whom."""

    into: UUID


class ErasedOut(BaseModel):
    """Samples that are gone, and whether the server's log of changes went too."""

    samples: int
    log_deleted: bool


class Health(BaseModel):
    """How the service is."""

    status: str
    persons: int | None = None
    samples: int | None = None
