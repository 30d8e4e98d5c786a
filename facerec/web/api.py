"""The routes of the API, version 1, that recognise, enrol, list and erase people."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Form, Request

from facerec.gallery import Match, acting_as
from facerec.recognition import Named, PhotoFaces
from facerec.web.person_schemas import (
    EnrolledOut,
    ErasedOut,
    PersonId,
    PersonName,
    PersonOut,
    PersonWithSamples,
    PhotoOutcomeOut,
    SampleOut,
)
from facerec.web.problems import PROBLEMS, Problem
from facerec.web.routes import Photo, caller_of, service_of
from facerec.web.schemas import FaceOut, MatchOut, PhotoOut, RuleOut
from facerec.web.service import PhotoOutcome

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


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
    service = service_of(request)
    rate = service.settings.far if far is None else far
    return _photo(*await service.identify(await photo.read(), rate, top))


@router.post("/samples", tags=["photos"], status_code=201)
async def enroll(
    request: Request,
    photos: Annotated[list[Photo], File(description="photos of this person")],
    name: Annotated[PersonName | None, Form()] = None,
    person: Annotated[PersonId, Form(description="instead of a name: the id of an enrolled person")] = None,
    new: Annotated[bool, Form(description="create a person even if somebody has that name")] = False,
    face: Annotated[
        int | None, Form(ge=1, description="number of the face, for a single photo; default: the largest")
    ] = None,
    ask: Annotated[
        bool, Form(description="enrol nothing and answer 409 if a face does not look like the person of that name")
    ] = False,
) -> EnrolledOut:
    """Enrol a person with the largest face of each photo, or with face number `face` of a single photo.

    The person is given by `name`, and created if nobody has it, or by `person`. Where several persons have that
    name the answer is 409 (`type` is urn:facerec:ambiguous). All samples are saved in one transaction; photos
    without a usable face are reported.
    """
    service = service_of(request)
    if len(photos) > service.limits.photos:
        raise Problem(413, f"one request may have {service.limits.photos} photos; split them into several requests")
    if face is not None and len(photos) > 1:
        raise Problem(422, "face: send exactly one photo with it, or leave it out")
    who = person or name
    if who is None or (person and name):
        raise Problem(422, "name, person: send one of the two")
    files = [(photo.filename or "photo", await photo.read()) for photo in photos]
    enrolled, outcomes = await service.enroll(who, files, face, caller_of(request), new=new, ask=ask)
    return EnrolledOut(
        person=PersonOut.of(enrolled.person),
        new=enrolled.new,
        known=enrolled.known,
        similar_names=list(enrolled.similar_names),
        photos=[_outcome(outcome) for outcome in outcomes],
    )


@router.get("/persons", tags=["persons"])
async def persons(request: Request) -> list[PersonOut]:
    """List the enrolled persons by name."""
    service = service_of(request)
    return [PersonOut.of(person) for person in await service.run_in_thread(service.gallery.persons)]


@router.get("/persons/{person}", tags=["persons"])
async def show(request: Request, person: UUID) -> PersonWithSamples:
    """Show a person, their samples, and the faces that are said not to be them."""
    service = service_of(request)
    record, samples = await service.run_in_thread(service.gallery.show, person)
    denied = await service.run_in_thread(service.gallery.corrections.denied, person)
    return PersonWithSamples(
        **record._asdict(),
        faces=[SampleOut(**sample._asdict()) for sample in samples],
        denied=[SampleOut(**sample._asdict()) for sample in denied],
    )


@router.delete("/persons/{person}", tags=["persons"])
async def erase(request: Request, person: UUID) -> ErasedOut:
    """Erase a person from the tables and from the database's files; this can't be undone.

    Name, note and samples are erased, and what undo holds of them.
    """
    service = service_of(request)
    with acting_as(caller_of(request)):
        erased = await service.run_in_thread(service.gallery.erase, person)
    return ErasedOut(samples=erased.samples, log_deleted=erased.log_deleted)


def _outcome(outcome: PhotoOutcome) -> PhotoOutcomeOut:
    return PhotoOutcomeOut(
        photo=outcome.source,
        problem=outcome.sample if isinstance(outcome.sample, str) else None,
        looks_like=outcome.check.looks_like and outcome.check.looks_like.name,
        unlike=outcome.check.unlike,
        weak=outcome.weak or None,
    )


def _photo(photo: PhotoFaces, people: list[Named]) -> PhotoOut:
    height, width = photo.photo.shape[:2]
    faces = [
        FaceOut(
            number=number,
            box=face.box.tolist(),
            landmarks=face.landmarks.tolist(),
            score=face.score,
            person=named.person and named.person.name,
            person_id=named.person and named.person.person,
            perhaps=named.perhaps and named.perhaps.name,
            rival=named.rival,
            ignored=named.ignored,
            matches=[_match(match) for match in named.answer.matches],
            rule=RuleOut(**named.answer.rule._asdict()),
        )
        for number, (face, named) in enumerate(zip(photo.faces, people, strict=True), 1)
    ]
    return PhotoOut(width=width, height=height, faces=faces)


def _match(match: Match) -> MatchOut:
    fields = match._asdict()
    return MatchOut(id=fields.pop("person"), **fields)
