"""Requests and answers of the API about indexed photos."""

from uuid import UUID

from pydantic import BaseModel, Field

from facerec.web.person_schemas import PersonName
from facerec.web.schemas import MatchOut


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
