"""Requests and answers of the API."""

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
        raise ValueError(str(error)) from error  # which pydantic reports as invalid


_RULE = f"one line of text, at most {LONGEST_NAME} characters after white space is collapsed"
PersonName = Annotated[str, Field(description=_RULE), AfterValidator(_clean)]


class PersonOut(BaseModel):
    """An enrolled person."""

    id: UUID
    name: str
    note: str
    samples: int
    created: datetime


class SampleOut(BaseModel):
    """A sample of a person, without its vector."""

    crop: str = Field(description="SHA-256 of the crop")
    source: str = Field(description="name of the photo file")
    box: tuple[float, float, float, float] | None
    score: float | None
    created: datetime


class PersonWithSamples(PersonOut):
    """A person and their samples."""

    faces: list[SampleOut]


class MatchOut(BaseModel):
    """A candidate for a face."""

    id: UUID
    name: str
    similarity: float = Field(ge=-1, le=1)
    probability: float | None = Field(
        description="probability that both are the same person, 0..1; null if the model is not calibrated"
    )
    accepted: bool


class RuleOut(BaseModel):
    """The decision threshold and its false accept rates: `far` of one comparison, `search_far` of one search."""

    threshold: float
    far: float | None
    search_far: float | None
    persons: int
    comparisons: float = Field(description="independent ones that a search is worth: more samples, more of them")
    certain: float | None = Field(
        description="if several faces of a photo reach this for one person, all of them are named; null: unknown"
    )
    extrapolated: bool = Field(description="whether `far` is lower than any rate that was measured")


class FaceOut(BaseModel):
    """A face in a photo."""

    number: int = Field(description="1 is the face with the best score; pass it as `face` to enrol this one")
    box: tuple[float, float, float, float] = Field(description="x0, y0, x1, y1 in pixels of the upright photo")
    landmarks: list[tuple[float, float]] = Field(
        description="left eye, right eye, nose, left and right mouth corner, as seen in the photo"
    )
    score: float
    person: str | None = Field(description="name of the recognised person, or null")
    perhaps: str | None = Field(
        description="name of the most similar person, if similar enough but another face is that person; or null"
    )
    rival: int | None = Field(description="number of that face, or null")
    matches: list[MatchOut] = Field(description="most similar first; `person` is among them")
    rule: RuleOut


class PhotoOut(BaseModel):
    """The faces in a photo."""

    width: int
    height: int
    faces: list[FaceOut]


class PhotoOutcomeOut(BaseModel):
    """The outcome for one photo of an enrolment."""

    photo: str
    problem: str | None = Field(description="why no sample was enrolled from it, or null")
    looks_like: str | None = Field(description="another enrolled person whom the face resembles, or null")
    unlike: float | None = Field(
        description="similarity to the person's most similar sample if below the threshold, or null"
    )


class EnrolledOut(BaseModel):
    """A finished enrolment; it is saved."""

    person: PersonOut
    new: int = Field(description="samples that were added")
    known: int = Field(description="samples that were enrolled before")
    photos: list[PhotoOutcomeOut]


class Rename(BaseModel):
    """A new name, and a new note where one is given."""

    name: PersonName
    # PostgreSQL can't store NUL
    note: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] | None = None


class Merge(BaseModel):
    """The person who receives the samples."""

    into: UUID


class ErasedOut(BaseModel):
    """How many samples were erased, and whether the server's write-ahead log was deleted too."""

    samples: int
    log_deleted: bool


class Health(BaseModel):
    """State of the service."""

    status: str
    persons: int | None = None
    samples: int | None = None
