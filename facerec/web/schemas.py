"""Answers of the API about photos and faces, and about the service."""

from uuid import UUID

from pydantic import BaseModel, Field


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


class GalleryOut(BaseModel):
    """A gallery that the key opens."""

    name: str


class Health(BaseModel):
    """State of the service."""

    status: str
    persons: int | None = None
    samples: int | None = None
