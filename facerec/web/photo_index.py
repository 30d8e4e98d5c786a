"""The routes of the index of photos: groups of unknown faces, doubtful faces, and the photos of a person."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter

from facerec.gallery import Sample, acting_as
from facerec.gallery.index_records import FaceGroup, FaceMatch, IndexedFace
from facerec.gallery.names import printable
from facerec.web.index_schemas import GroupName, GroupOut, IndexedFaceOut, IndexedMatchOut, Naming, Refusal
from facerec.web.indexed_photos import cut_out, kept_crops, read
from facerec.web.person_schemas import CorrectedOut, PersonOut
from facerec.web.problems import PROBLEMS, Problem
from facerec.web.routes import caller_of, service_of

router = APIRouter(prefix="/api/v1", responses=PROBLEMS, tags=["index"])
CropPath = Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$")]


@router.get("/unknown")
async def unknown(
    request: Request, least: Annotated[int, Query(ge=1, le=100, description="faces of a group, at least")] = 2
) -> list[GroupOut]:
    """Group the indexed faces for whom nobody enrolled answers, the largest group first."""
    service = service_of(request)
    far, per = service.settings.far, service.settings.per
    groups = await service.run_in_thread(service.gallery.index.groups, far=far, per=per, least=least)
    return [_group(group) for group in groups]


@router.post("/unknown/{group}")
async def name_group(
    request: Request, group: Annotated[str, PathParameter(pattern="^[0-9a-f]{4,16}$")], naming: GroupName
) -> CorrectedOut:
    """Enrol the faces of a group as a person, or ignore them from now on; the group must be as it was listed.

    Who is ignored is called "ignored GROUP". Undoing that leaves them enrolled, and they are named again.
    """
    service = service_of(request)
    gallery, who = service.gallery, naming.to or naming.name
    if sum((bool(naming.to), bool(naming.name), naming.ignore)) != 1 or (who is None and not naming.ignore):
        raise Problem(422, "to, name, ignore: send one of the three")
    far, per = service.settings.far, service.settings.per
    unknown_group = await service.run_in_thread(gallery.index.group, group, far=far, per=per)
    if kept := await kept_crops(request, unknown_group.faces):  # which takes time, in which it may have changed
        unknown_group = await service.run_in_thread(gallery.index.group, group, far=far, per=per)
    samples = unknown_group.samples(kept)
    with acting_as(caller_of(request)):
        enrolled = await service.run_in_thread(gallery.enroll, who or f"ignored {group}", samples, new=naming.new)
        if naming.ignore:
            ignored = await service.run_in_thread(gallery.corrections.ignore, enrolled.person.id)
            return CorrectedOut.of_changes(*ignored)
    return CorrectedOut.of_changes(enrolled.person)


@router.get("/questions")
async def questions(
    request: Request, limit: Annotated[int, Query(ge=1, le=1000, description="faces, at most")] = 50
) -> list[IndexedMatchOut]:
    """Is this Ann? Indexed faces with their nearest person, the most doubtful first."""
    service = service_of(request)
    far, per = service.settings.far, service.settings.per
    return [
        _match(entry)
        for entry in await service.run_in_thread(service.gallery.index.questions, limit, far=far, per=per)
    ]


@router.get("/persons/{person}/photos")
async def photos(request: Request, person: UUID) -> list[IndexedMatchOut]:
    """The indexed photos of a person, the most similar face first."""
    service = service_of(request)
    far, per = service.settings.far, service.settings.per
    return [
        _match(entry)
        for entry in await service.run_in_thread(service.gallery.index.photos_of, person, far=far, per=per)
    ]


@router.post("/indexed/{crop}/enroll", status_code=201)
async def enroll(request: Request, crop: CropPath, naming: Naming) -> PersonOut:
    """Enrol an indexed face: yes, this is Ann."""
    service = service_of(request)
    who = naming.to or naming.name
    if who is None or (naming.to and naming.name):
        raise Problem(422, "to, name: send one of the two")
    sample = await _sample(request, crop)
    with acting_as(caller_of(request)):
        return PersonOut.of(
            (await service.run_in_thread(service.gallery.enroll, who, [sample], new=naming.new)).person
        )


@router.post("/indexed/{crop}/deny", status_code=201)
async def deny(request: Request, crop: CropPath, refusal: Refusal) -> CorrectedOut:
    """Remember that an indexed face is not a person: no, this is not Ann."""
    service = service_of(request)
    sample = await _sample(request, crop)
    with acting_as(caller_of(request)):
        denied = await service.run_in_thread(service.gallery.corrections.deny, refusal.person, sample)
    return CorrectedOut.of_changes(*denied)


@router.get("/indexed/{crop}/image", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def image(request: Request, crop: CropPath) -> Response:
    """The face in its photo, cut out with a margin, as long as the photo is where it was indexed."""
    service = service_of(request)
    face, _ = await service.run_in_thread(service.gallery.index.face, crop)
    photo = await service.decode(await read(request, face.photo))
    picture = await asyncio.to_thread(cut_out, photo, face)
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


async def _sample(request: Request, crop: str) -> Sample:
    """An indexed face, to enrol or deny, with its crop if that is to be kept."""
    service = service_of(request)
    face, sample = await service.run_in_thread(service.gallery.index.face, crop)
    if kept := await kept_crops(request, [face]):  # which takes time, in which it may have been forgotten
        face, sample = await service.run_in_thread(service.gallery.index.face, crop)
    return sample._replace(kept=kept.get(face.crop))


def _group(group: FaceGroup) -> GroupOut:
    return GroupOut(id=group.id, photos=len(group.photos), faces=[_face(face) for face in group.faces])


def _match(entry: FaceMatch) -> IndexedMatchOut:
    fields = entry.match._asdict()
    return IndexedMatchOut(face=_face(entry.face), id=fields.pop("person"), **fields)


def _face(face: IndexedFace) -> IndexedFaceOut:
    return IndexedFaceOut(crop=face.crop.hex(), photo=printable(face.photo.name), number=face.number, box=face.box)
