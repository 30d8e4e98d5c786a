"""The routes of the API, version 1."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import WithJsonSchema

from facerec.gallery import Answer, Match, Person, acting_as
from facerec.recognition import PhotoFaces
from facerec.web.problems import Problem
from facerec.web.schemas import (
    EnrolledOut,
    ErasedOut,
    FaceOut,
    Health,
    MatchOut,
    Merge,
    PersonName,
    PersonOut,
    PersonWithSamples,
    PhotoOut,
    PhotoOutcomeOut,
    Rename,
    RuleOut,
    SampleOut,
)
from facerec.web.service import PhotoOutcome, Service

_DESCRIPTIONS = {
    400: "The request is malformed.",
    401: "The key is missing or wrong.",
    403: "The key does not permit this, or the request comes from another site.",
    404: "No person with this id is enrolled.",
    408: "The request took too long to arrive.",
    409: "The name or photo belongs to another person; or, with `ask`, a face does not look like the person of "
    "that name (`type` is urn:facerec:unlike).",
    413: "The request or a photo is too large.",
    415: "This is not a photo in a supported format.",
    421: "The Host header is not a name of this service.",
    422: "A field or photo is invalid.",
    429: "The rate limit is exceeded; Retry-After says how long to wait.",
    503: "The service is busy or the gallery unavailable; Retry-After says how long to wait.",
}
_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetail"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": _CONTENT} for status, description in _DESCRIPTIONS.items()
}
# Swagger UI shows a text field for FastAPI's own schema of a list of files, and a file field for this one
Photo = Annotated[UploadFile, WithJsonSchema({"type": "string", "format": "binary"})]
_READY_SECONDS = 3.0  # that readiness waits for the gallery

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _caller(request: Request) -> str:
    return str(request.state.caller.name)


@router.post("/identify", tags=["photos"])
async def identify(
    request: Request,
    photo: Annotated[Photo, File(description="a photo: JPEG, PNG, WebP, …")],
    far: Annotated[
        float | None, Form(gt=0, lt=1, description="false accept rate; default: as configured", examples=[0.01])
    ] = None,
    top: Annotated[int, Form(ge=1, le=20, description="candidates for each face")] = 3,
) -> PhotoOut:
    """Detect and recognise the faces in a photo. Nothing of it is stored."""
    service = _service(request)
    rate = service.settings.far if far is None else far
    return _photo(*await service.identify(await photo.read(), rate, top))


@router.post("/preview", tags=["photos"], response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def preview(
    request: Request, photo: Annotated[Photo, File(description="a photo, such as TIFF or HEIC")]
) -> Response:
    """Convert a photo to an upright JPEG that every browser can show, reduced if it is large."""
    return Response(await _service(request).preview(await photo.read()), media_type="image/jpeg")


@router.post("/samples", tags=["photos"], status_code=201)
async def enroll(
    request: Request,
    name: Annotated[PersonName, Form()],
    photos: Annotated[list[Photo], File(description="photos of this person")],
    face: Annotated[
        int | None, Form(ge=1, description="number of the face, for a single photo; default: the largest")
    ] = None,
    ask: Annotated[
        bool, Form(description="enrol nothing and answer 409 if a face does not look like the person of that name")
    ] = False,
) -> EnrolledOut:
    """Enrol a person with the largest face of each photo, or with face number `face` of a single photo.

    All samples are saved in one transaction; photos without a usable face are reported.
    """
    service = _service(request)
    if len(photos) > service.limits.photos:
        raise Problem(413, f"one request may have {service.limits.photos} photos; split them into several requests")
    if face is not None and len(photos) > 1:
        raise Problem(422, "face: send exactly one photo with it, or leave it out")
    files = [(photo.filename or "photo", await photo.read()) for photo in photos]
    enrolled, outcomes = await service.enroll(name, files, face, _caller(request), ask=ask)
    return EnrolledOut(
        person=_person(enrolled.person),
        new=enrolled.new,
        known=enrolled.known,
        photos=[_outcome(outcome) for outcome in outcomes],
    )


@router.get("/persons", tags=["persons"])
async def persons(request: Request) -> list[PersonOut]:
    """List the enrolled persons by name."""
    service = _service(request)
    return [_person(person) for person in await service.run_in_thread(service.gallery.persons)]


@router.get("/persons/{person}", tags=["persons"])
async def show(request: Request, person: UUID) -> PersonWithSamples:
    """Show a person and their samples."""
    service = _service(request)
    record, samples = await service.run_in_thread(service.gallery.show, person)
    return PersonWithSamples(**record._asdict(), faces=[SampleOut(**sample._asdict()) for sample in samples])


@router.patch("/persons/{person}", tags=["persons"])
async def rename(request: Request, person: UUID, change: Rename) -> PersonOut:
    """Change the name or note of a person."""
    service = _service(request)
    with acting_as(_caller(request)):
        await service.run_in_thread(service.gallery.rename, person, change.name, note=change.note)
    return _person((await service.run_in_thread(service.gallery.show, person))[0])


@router.post("/persons/{person}/merge", tags=["persons"])
async def merge(request: Request, person: UUID, merging: Merge) -> PersonOut:
    """Move all samples of a person to another person, and delete the first."""
    if person == merging.into:
        raise Problem(409, "a person can't be merged with themselves")
    service = _service(request)
    with acting_as(_caller(request)):
        return _person(await service.run_in_thread(service.gallery.merge, person, merging.into))


@router.delete("/persons/{person}", tags=["persons"])
async def erase(request: Request, person: UUID) -> ErasedOut:
    """Erase a person: name, note and samples, from the tables and from the database's files."""
    service = _service(request)
    with acting_as(_caller(request)):
        erased = await service.run_in_thread(service.gallery.erase, person)
    return ErasedOut(samples=erased.samples, log_deleted=erased.log_deleted)


@router.get("/health", tags=["service"])
async def health() -> Health:
    """Whether the process responds."""
    return Health(status="alive")


@router.get("/ready", tags=["service"])
async def ready(request: Request) -> Health:
    """Whether the gallery responds and the inference thread is running."""
    service = _service(request)
    try:
        size = await asyncio.wait_for(service.run_in_thread(service.gallery.size), _READY_SECONDS)
    except TimeoutError:
        raise Problem(503, "the gallery does not respond", {"Retry-After": "5"}) from None
    if not service.inference_queue.alive:
        raise Problem(503, "the inference thread has stopped; restart the service")
    return Health(status="ready", persons=size.persons, samples=size.samples)


@router.get("/metrics", tags=["service"], response_class=Response)
async def metrics(request: Request) -> Response:
    """Metrics in Prometheus's text format, without names."""
    return Response(_service(request).metrics.text(), media_type="text/plain; version=0.0.4")


def _person(person: Person) -> PersonOut:
    return PersonOut(**person._asdict())


def _outcome(outcome: PhotoOutcome) -> PhotoOutcomeOut:
    return PhotoOutcomeOut(
        photo=outcome.source,
        problem=outcome.sample if isinstance(outcome.sample, str) else None,
        looks_like=outcome.check.looks_like and outcome.check.looks_like.name,
        unlike=outcome.check.unlike,
        weak=outcome.weak or None,
    )


def _photo(photo: PhotoFaces, answers: list[Answer]) -> PhotoOut:
    height, width = photo.photo.shape[:2]
    faces = [
        FaceOut(
            number=number,
            box=face.box.tolist(),
            landmarks=face.landmarks.tolist(),
            score=face.score,
            person=answer.person.name if answer.person else None,
            matches=[_match(match) for match in answer.matches],
            rule=RuleOut(**answer.rule._asdict()),
        )
        for number, (face, answer) in enumerate(zip(photo.faces, answers, strict=True), 1)
    ]
    return PhotoOut(width=width, height=height, faces=faces)


def _match(match: Match) -> MatchOut:
    fields = match._asdict()
    return MatchOut(id=fields.pop("person"), **fields)
