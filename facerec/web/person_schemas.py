"""Requests and answers of the API about persons, their samples, and changes of them."""

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
    list[UUID],
    Field(description="ids of the changes, newest first: undo them in this order"),
]


class CorrectedOut(PersonOut):
    """The person whom a correction concerns, and how to undo it."""

    changes: ChangeIds

    @classmethod
    def of_changes(cls, person: Person, *changes: UUID | None) -> "CorrectedOut":
        """The person and the changes, of which None is left out: it can't be undone."""
        return cls(**person._asdict(), changes=[change for change in changes if change])


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
