"""Requests and answers of the API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from facerec.errors import GalleryError
from facerec.gallery import Person
from facerec.gallery.names import LONGEST_NAME, clean_name


def _clean(name: str) -> str:
    try:
        return clean_name(name)
    except GalleryError as error:
        raise ValueError(str(error)) from error  # which pydantic reports as invalid


_RULE = f"one line of text, at most {LONGEST_NAME} characters after white space is collapsed"
# Swagger UI would send an example of its own
PersonId = Annotated[UUID | None, WithJsonSchema({"type": "string", "example": ""})]
PersonName = Annotated[str, Field(description=_RULE), AfterValidator(_clean)]


class PersonOut(BaseModel):
    """An enrolled person."""

    id: UUID
    name: str
    note: str
    samples: int
    created: datetime
    ignored: bool = Field(description="recognised without giving the name")
    picture: str | None = Field(description="SHA-256 of a kept crop, for /api/v1/samples/{crop}/image, or null")

    @classmethod
    def of(cls, person: Person) -> "PersonOut":
        """The person as the API shows them."""
        return cls(**person._asdict())


class SampleOut(BaseModel):
    """A sample of a person, without its vector."""

    crop: str = Field(description="SHA-256 of the crop")
    source: str = Field(description="name of the photo file")
    box: tuple[float, float, float, float] | None
    score: float | None
    created: datetime
    kept: bool = Field(description="whether /api/v1/samples/{crop}/image shows it")


class PersonWithSamples(PersonOut):
    """A person and their samples."""

    faces: list[SampleOut]
    denied: list[SampleOut] = Field(description="faces that are said not to be this person")


ChangeIds = Annotated[
    list[UUID], Field(description="of what was changed, newest first, for /api/v1/changes/{change_id}/undo")
]


class CorrectedOut(PersonOut):
    """The person whom a correction concerns, and how to undo it."""

    changes: ChangeIds

    @classmethod
    def of_changes(cls, person: Person, *changes: UUID | None) -> "CorrectedOut":
        """The person and the changes, of which None is left out: it can't be undone."""
        return cls(**person._asdict(), changes=[change for change in changes if change])


class MatchOut(BaseModel):
    """A candidate for a face."""

    id: UUID
    name: str
    similarity: float = Field(ge=-1, le=1)
    probability: float | None = Field(
        description="probability that both are the same person, 0..1; null if the model is not calibrated"
    )
    accepted: bool
    ignored: bool = Field(description="recognised without giving the name")


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


class DetectedOut(BaseModel):
    """A face in a photo."""

    number: int = Field(description="1 is the face with the best score; pass it as `face` to enrol this one")
    box: tuple[float, float, float, float] = Field(description="x0, y0, x1, y1 in pixels of the upright photo")
    landmarks: list[tuple[float, float]] = Field(
        description="left eye, right eye, nose, left and right mouth corner, as seen in the photo"
    )
    score: float


class FaceOut(DetectedOut):
    """A face in a photo, and who it is."""

    person: str | None = Field(description="name of the recognised person, or null")
    person_id: UUID | None = Field(description="id of the recognised person, or null")
    perhaps: str | None = Field(
        description="name of the most similar person, if similar enough but another face is that person; or null"
    )
    rival: int | None = Field(description="number of that face, or null")
    ignored: bool = Field(description="whether it is a person to be ignored; `person` is null then")
    matches: list[MatchOut] = Field(description="most similar first; `person` is among them")
    rule: RuleOut


class PhotoOut(BaseModel):
    """The faces in a photo."""

    width: int
    height: int
    faces: list[FaceOut]


class DetectedPhotoOut(BaseModel):
    """The faces that were detected in a photo."""

    width: int
    height: int
    faces: list[DetectedOut]


class ModelOut(BaseModel):
    """The model that gives the vectors."""

    name: str
    fingerprint: str = Field(
        description="SHA-256 of what decides the vectors; those of two models can't be compared"
    )
    dim: int = Field(description="length of a vector")


class EmbeddedFaceOut(DetectedOut):
    """A face in a photo, and its vector."""

    vector: list[float] = Field(description="of length 1; the similarity of two faces is their scalar product")


class EmbeddedPhotoOut(BaseModel):
    """The faces in a photo, and their vectors."""

    width: int
    height: int
    faces: list[EmbeddedFaceOut]
    model: ModelOut


class PairOut(BaseModel):
    """A face of one photo compared with a face of another."""

    face: int = Field(description="number of the face in `photo`")
    other: int = Field(description="number of the face in `other`")
    similarity: float = Field(ge=-1, le=1)
    probability: float | None = Field(
        description="probability that both are the same person, 0..1; null if the model is not calibrated"
    )
    accepted: bool = Field(description="whether the similarity reaches the threshold")


class ComparedOut(BaseModel):
    """Two photos compared."""

    pairs: list[PairOut] = Field(description="empty if a photo has no face")
    threshold: float
    far: float | None = Field(description="false accept rate of one comparison at this threshold")
    photo: DetectedPhotoOut
    other: DetectedPhotoOut
    model: ModelOut


class PhotoOutcomeOut(BaseModel):
    """The outcome for one photo of an enrolment."""

    photo: str
    problem: str | None = Field(description="why no sample was enrolled from it, or null")
    looks_like: str | None = Field(description="another enrolled person whom the face resembles, or null")
    unlike: float | None = Field(
        description="similarity to the person's most similar sample if below the threshold, or null"
    )
    weak: str | None = Field(description="what is weak about the face (small, blurred, turned away, dark), or null")


class EnrolledOut(BaseModel):
    """A finished enrolment; it is saved."""

    person: PersonOut
    new: int = Field(description="samples that were added")
    known: int = Field(description="samples that were enrolled before")
    similar_names: list[str] = Field(description="other persons' names that differ in upper and lower case only")
    photos: list[PhotoOutcomeOut]


class PersonChange(BaseModel):
    """What is to change of a person; what is left out stays."""

    name: PersonName | None = None
    # PostgreSQL can't store NUL
    note: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] | None = None
    ignored: bool | None = None


class Merge(BaseModel):
    """The person who receives the samples."""

    into: UUID


Crop = Annotated[str, Field(pattern=r"^[0-9a-f]{4,64}$", description="first characters of a crop's SHA-256")]


class Samples(BaseModel):
    """Some samples."""

    samples: Annotated[list[Crop], Field(min_length=1, max_length=1000)]


class Move(Samples):
    """Samples, and the person who gets them: an id, or a name."""

    to: UUID | None = None
    name: PersonName | None = None
    new: bool = Field(False, description="create a person even if somebody has that name")


class Naming(BaseModel):
    """Whose a face is: an id, or a name."""

    to: UUID | None = None
    name: PersonName | None = None
    new: bool = Field(False, description="create a person even if somebody has that name")


class GroupName(Naming):
    """Whose the faces of a group are, or that they are to be ignored."""

    ignore: bool = Field(False, description="recognise this person from now on, without a name")


class Refusal(BaseModel):
    """Whom a face is not."""

    person: UUID


class IndexedFaceOut(BaseModel):
    """A face in an indexed photo."""

    crop: str = Field(description="SHA-256 of the crop, for /api/v1/indexed/{crop}/image")
    photo: str = Field(description="name of the photo file")
    number: int = Field(description="of the face in the photo")
    box: tuple[float, float, float, float] = Field(description="x0, y0, x1, y1 in pixels of the upright photo")


class IndexedMatchOut(MatchOut):
    """An indexed face and the enrolled person nearest to it."""

    face: IndexedFaceOut


class GroupOut(BaseModel):
    """Faces that seem to be of one person whom nobody enrolled; a changed group has another id."""

    id: str
    photos: int = Field(description="how many photos they are in")
    faces: list[IndexedFaceOut] = Field(description="most typical first")


class DeletedOut(BaseModel):
    """How many samples were deleted, and how to undo it."""

    samples: int
    changes: ChangeIds


class ChangeOut(BaseModel):
    """A correction that can be undone."""

    id: UUID
    at: datetime
    expires: datetime = Field(description="until when it can be undone")
    action: str
    samples: int
    names: list[str] = Field(description="of its persons, as they were before it")


class ErasedOut(BaseModel):
    """How many samples were erased, and whether the server's write-ahead log was deleted too."""

    samples: int
    log_deleted: bool


class GalleryOut(BaseModel):
    """A gallery that the key opens."""

    name: str


class Health(BaseModel):
    """State of the service."""

    status: str
    persons: int | None = None
    samples: int | None = None
