"""The routes that need the model and no gallery: preview, detect, embed and compare. Nothing is stored."""

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, File, Form, Request, Response

from facerec.gallery.decision import decide
from facerec.recognition import PhotoFaces
from facerec.web.problems import PROBLEMS
from facerec.web.routes import Photo, pipeline_of
from facerec.web.schemas import (
    ComparedOut,
    DetectedOut,
    DetectedPhotoOut,
    EmbeddedFaceOut,
    EmbeddedPhotoOut,
    ModelOut,
    PairOut,
)

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
_PHOTO = File(description="a photo: JPEG, PNG, WebP, …")


@router.post("/preview", tags=["photos"], response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def preview(
    request: Request, photo: Annotated[Photo, File(description="a photo, such as TIFF or HEIC")]
) -> Response:
    """Convert a photo to an upright JPEG that every browser can show, reduced if it is large."""
    return Response(await pipeline_of(request).preview(await photo.read()), media_type="image/jpeg")


@router.post("/detect", tags=["photos"])
async def detect(request: Request, photo: Annotated[Photo, _PHOTO]) -> DetectedPhotoOut:
    """Detect the faces in a photo."""
    return _detected(await pipeline_of(request).detect_faces(await photo.read()))


@router.post("/embed", tags=["photos"])
async def embed(request: Request, photo: Annotated[Photo, _PHOTO]) -> EmbeddedPhotoOut:
    """Detect the faces in a photo, and map each to a unit vector. Vectors of two models can't be compared."""
    embedded = await pipeline_of(request).embed_photo(await photo.read())
    detected = _detected(embedded)
    faces = [
        EmbeddedFaceOut(**face.model_dump(), vector=vector.tolist())
        for face, vector in zip(detected.faces, embedded.vectors, strict=True)
    ]
    return EmbeddedPhotoOut(width=detected.width, height=detected.height, faces=faces, model=_model(request))


@router.post("/compare", tags=["photos"])
async def compare(
    request: Request,
    photo: Annotated[Photo, _PHOTO],
    other: Annotated[Photo, File(description="the photo to compare it with")],
    faces: Annotated[
        Literal["largest", "all"],
        Form(description="the largest face of each photo, or each face of one with each of the other"),
    ] = "largest",
    far: Annotated[
        float | None,
        Form(
            gt=0, lt=1, description="false accept rate of one comparison; default: as configured", examples=[0.01]
        ),
    ] = None,
) -> ComparedOut:
    """Compare the faces of two photos: are they of one person? Without a face in both there are no pairs."""
    pipeline = pipeline_of(request)
    first, second = await pipeline.embed_photo(await photo.read()), await pipeline.embed_photo(await other.read())
    statistics = pipeline.model.record.statistics
    rate = pipeline.settings.far if far is None else far
    rule = decide(statistics, 1, far=rate, per="pair")
    similarities = np.clip(first.vectors @ second.vectors.T, -1, 1)  # rounding may exceed 1
    pairs = [
        PairOut(
            face=row + 1,
            other=column + 1,
            similarity=similarity,
            probability=statistics.probability(similarity),
            accepted=similarity >= rule.threshold,
        )
        for row in _rows(first, faces)
        for column in _rows(second, faces)
        for similarity in [float(similarities[row, column])]
    ]
    return ComparedOut(
        pairs=pairs,
        threshold=rule.threshold,
        far=rule.far,
        photo=_detected(first),
        other=_detected(second),
        model=_model(request),
    )


def _rows(photo: PhotoFaces, which: Literal["largest", "all"]) -> list[int]:
    rows = list(range(len(photo.faces)))
    return rows if which == "all" else sorted(rows, key=lambda row: -photo.faces[row].size)[:1]


def _detected(photo: PhotoFaces) -> DetectedPhotoOut:
    height, width = photo.photo.shape[:2]
    faces = [
        DetectedOut(number=number, box=face.box.tolist(), landmarks=face.landmarks.tolist(), score=face.score)
        for number, face in enumerate(photo.faces, 1)
    ]
    return DetectedPhotoOut(width=width, height=height, faces=faces)


def _model(request: Request) -> ModelOut:
    pipeline = pipeline_of(request)
    record = pipeline.model.record
    return ModelOut(name=pipeline.model_name, fingerprint=record.fingerprint, dim=record.dim)
