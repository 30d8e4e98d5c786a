"""The API, version 1."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import WithJsonSchema

from facerec.gallery import Answer, Person, acting_as
from facerec.recognition import PhotoFaces
from facerec.web.problems import Problem, ProblemDetail
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
    PhotoTaken,
    Rename,
    RuleOut,
    SampleOut,
)
from facerec.web.service import Service

_KINDS = {
    400: "malformed",
    401: "no key, or a wrong one",
    403: "not with this key, or from another page",
    404: "nobody of that number",
    408: "arrived too slowly",
    409: "somebody else has it; or asked first, and a face is not like the person (`type` is urn:facerec:unlike)",
    413: "too large",
    415: "no photo that can be read",
    421: "another name than the service's",
    422: "not as described",
    429: "too often: see Retry-After",
    503: "busy or away: see Retry-After",
}
_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetail"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": said, "content": _CONTENT} for status, said in _KINDS.items()
}
# so that the page of the API has a field for files: it takes FastAPI's own description of a list of them for text
Photo = Annotated[UploadFile, WithJsonSchema({"type": "string", "format": "binary"})]
_PATIENCE = 3.0  # seconds that readiness waits for the gallery

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _who(request: Request) -> str:
    return str(request.state.who.name)


@router.post("/identify", tags=["photos"])
async def identify(
    request: Request,
    photo: Annotated[Photo, File(description="a picture: JPEG, PNG, WebP, …")],
    far: Annotated[
        float | None, Form(gt=0, lt=1, description="how often a search may name a stranger", examples=[0.01])
    ] = None,
    top: Annotated[int, Form(ge=1, le=20, description="persons for each face")] = 3,
) -> PhotoOut:
    """Who is in a photo? Nothing of it is kept."""
    service = _service(request)
    seen, answers = await service.identify(await photo.read(), service.choice.far if far is None else far, top)
    return _photo(seen, answers)


@router.post("/preview", tags=["photos"], response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def preview(
    request: Request, photo: Annotated[Photo, File(description="a picture, such as TIFF or HEIC")]
) -> Response:
    """The photo as a JPEG that every browser shows: upright, and smaller if it is large."""
    return Response(await _service(request).preview(await photo.read()), media_type="image/jpeg")


@router.post("/samples", tags=["photos"], status_code=201)
async def enroll(
    request: Request,
    name: Annotated[PersonName, Form()],
    photos: Annotated[list[Photo], File(description="photos of this person")],
    face: Annotated[int | None, Form(ge=1, description="of one photo: the face's number")] = None,
    ask: Annotated[bool, Form(description="409 instead, if a face is not like the person of that name")] = False,
) -> EnrolledOut:
    """Enrol a person from photos: of each the largest face, or the one of that number. All or nothing."""
    service = _service(request)
    if len(photos) > service.limits.photos:
        raise Problem(413, f"more than {service.limits.photos} photos; send them in parts")
    if face is not None and len(photos) > 1:
        raise Problem(422, "face: send one photo with it, not several; or leave it out")
    given = [(photo.filename or "photo", await photo.read()) for photo in photos]
    enrolled, taken = await service.enroll(name, given, face, _who(request), ask=ask)
    said = [
        PhotoTaken(
            photo=one.source,
            problem=one.sample if isinstance(one.sample, str) else None,
            looks_like=one.doubt.looks_like and one.doubt.looks_like.name,
            unlike=one.doubt.unlike,
        )
        for one in taken
    ]
    return EnrolledOut(person=_person(enrolled.person), new=enrolled.new, known=enrolled.known, photos=said)


@router.get("/persons", tags=["persons"])
async def persons(request: Request) -> list[PersonOut]:
    """Everybody enrolled, by name."""
    service = _service(request)
    return [_person(one) for one in await service.ask(service.gallery.persons)]


@router.get("/persons/{person}", tags=["persons"])
async def show(request: Request, person: UUID) -> PersonWithSamples:
    """A person, and what is kept of them."""
    service = _service(request)
    found, kept = await service.ask(service.gallery.show, person)
    return PersonWithSamples(**found._asdict(), faces=[SampleOut(**one._asdict()) for one in kept])


@router.patch("/persons/{person}", tags=["persons"])
async def rename(request: Request, person: UUID, change: Rename) -> PersonOut:
    """Give a person another name, or another note."""
    service = _service(request)
    with acting_as(_who(request)):
        await service.ask(service.gallery.rename, person, change.name, note=change.note)
    return _person((await service.ask(service.gallery.show, person))[0])


@router.post("/persons/{person}/merge", tags=["persons"])
async def merge(request: Request, person: UUID, merging: Merge) -> PersonOut:
    """Give all samples of a person to another, and forget the one."""
    if person == merging.into:
        raise Problem(409, "a person can't be merged with themselves")
    service = _service(request)
    with acting_as(_who(request)):
        return _person(await service.ask(service.gallery.merge, person, merging.into))


@router.delete("/persons/{person}", tags=["persons"])
async def erase(request: Request, person: UUID) -> ErasedOut:
    """Erase a person: name, note and samples, from the tables and from the server's files."""
    service = _service(request)
    with acting_as(_who(request)):
        erased = await service.ask(service.gallery.erase, person)
    return ErasedOut(samples=erased.samples, log_deleted=erased.log_deleted)


@router.get("/health", tags=["service"])
async def health() -> Health:
    """The process answers."""
    return Health(status="alive")


@router.get("/ready", tags=["service"])
async def ready(request: Request) -> Health:
    """The gallery answers, and somebody looks at photos."""
    service = _service(request)
    try:
        size = await asyncio.wait_for(service.ask(service.gallery.size), _PATIENCE)
    except TimeoutError:
        raise Problem(503, "the gallery does not answer", {"Retry-After": "5"}) from None
    if not service.looker.alive:
        raise Problem(503, "nobody looks at photos any more; start the service again")
    return Health(status="ready", persons=size.persons, samples=size.samples)


@router.get("/metrics", tags=["service"], response_class=Response)
async def metrics(request: Request) -> Response:
    """For Prometheus; without names."""
    return Response(_service(request).metrics.text(), media_type="text/plain; version=0.0.4")


def _person(one: Person) -> PersonOut:
    return PersonOut(**one._asdict())


def _photo(seen: PhotoFaces, answers: list[Answer]) -> PhotoOut:
    height, width = seen.photo.shape[1:]
    faces = [
        FaceOut(
            number=number,
            box=face.box.tolist(),
            landmarks=face.landmarks.tolist(),
            score=face.score,
            person=answer.person.name if answer.person else None,
            matches=[MatchOut(id=one.person, **_without_id(one)) for one in answer.matches],
            rule=RuleOut(**answer.rule._asdict()),
        )
        for number, (face, answer) in enumerate(zip(seen.faces, answers, strict=True), 1)
    ]
    return PhotoOut(width=width, height=height, faces=faces)


def _without_id(match: Any) -> dict[str, Any]:
    return {key: value for key, value in match._asdict().items() if key != "person"}


__all__ = ["ProblemDetail", "router"]
