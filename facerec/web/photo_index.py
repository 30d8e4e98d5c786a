"""The routes of the index of photos: groups of unknown faces, doubtful faces, and the photos of a person."""

import asyncio
import io
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter
from PIL import Image

from facerec.crops.contract import Photo
from facerec.gallery import acting_as
from facerec.gallery.index_records import FaceGroup, FaceMatch, IndexedFace
from facerec.gallery.names import printable
from facerec.web.problems import PROBLEMS, Problem
from facerec.web.routes import caller_of, service_of
from facerec.web.schemas import GroupName, GroupOut, IndexedFaceOut, IndexedMatchOut, Naming, PersonOut, Refusal

router = APIRouter(prefix="/api/v1", responses=PROBLEMS, tags=["index"])
CropPath = Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$")]
_MARGIN = 0.3  # of a face's box, around it
_SIDE = 240  # pixels of a face's picture


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
) -> PersonOut:
    """Enrol the faces of a group as a person, or ignore them from now on; the group must be as it was listed."""
    service = service_of(request)
    who = naming.to or naming.name
    if sum((bool(naming.to), bool(naming.name), naming.ignore)) != 1 or (who is None and not naming.ignore):
        raise Problem(422, "to, name, ignore: send one of the three")
    far, per = service.settings.far, service.settings.per
    with acting_as(caller_of(request)):
        enrolled = await service.run_in_thread(
            service.gallery.index.name_group, group, who or f"ignored {group}", new=naming.new, far=far, per=per
        )
        person = enrolled.person
        if naming.ignore:
            person = await service.run_in_thread(service.gallery.corrections.ignore, person.id)
    return PersonOut.of(person)


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
    _, sample = await service.run_in_thread(service.gallery.index.face, crop)
    with acting_as(caller_of(request)):
        return PersonOut.of(
            (await service.run_in_thread(service.gallery.enroll, who, [sample], new=naming.new)).person
        )


@router.post("/indexed/{crop}/deny", status_code=201)
async def deny(request: Request, crop: CropPath, refusal: Refusal) -> PersonOut:
    """Remember that an indexed face is not a person: no, this is not Ann."""
    service = service_of(request)
    _, sample = await service.run_in_thread(service.gallery.index.face, crop)
    with acting_as(caller_of(request)):
        return PersonOut.of(await service.run_in_thread(service.gallery.corrections.deny, refusal.person, sample))


@router.get("/indexed/{crop}/image", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def image(request: Request, crop: CropPath) -> Response:
    """The face in its photo, cut out with a margin, as long as the photo is where it was indexed."""
    service = service_of(request)
    face, _ = await service.run_in_thread(service.gallery.index.face, crop)
    data = await service.run_in_thread(_read, face.photo, service.limits.photo_bytes)
    picture = await asyncio.to_thread(_cut_out, await service.decode(data), face)
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


def _read(photo: Path, most: int) -> bytes:
    try:
        if photo.stat().st_size > most:
            raise Problem(413, "the photo is larger than the service accepts")
        return photo.read_bytes()
    except OSError:
        raise Problem(404, "the photo is no longer where it was indexed; index the photos again") from None


def _cut_out(photo: Photo, face: IndexedFace) -> bytes:
    x0, y0, x1, y1 = face.box
    margin = _MARGIN * max(x1 - x0, y1 - y0)
    picture = Image.fromarray(photo).crop(
        (
            max(0, round(x0 - margin)),
            max(0, round(y0 - margin)),
            min(photo.shape[1], round(x1 + margin)),
            min(photo.shape[0], round(y1 + margin)),
        )
    )
    picture.thumbnail((_SIDE, _SIDE))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _group(group: FaceGroup) -> GroupOut:
    return GroupOut(id=group.id, photos=len(group.photos), faces=[_face(face) for face in group.faces])


def _match(entry: FaceMatch) -> IndexedMatchOut:
    fields = entry.match._asdict()
    return IndexedMatchOut(face=_face(entry.face), id=fields.pop("person"), **fields)


def _face(face: IndexedFace) -> IndexedFaceOut:
    return IndexedFaceOut(crop=face.crop.hex(), photo=printable(face.photo.name), number=face.number, box=face.box)
