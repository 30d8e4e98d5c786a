"""The routes that put mistakes right: change, merge, move, delete, deny and undo."""

from collections.abc import Callable
from typing import Annotated, ParamSpec, TypeVar
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, Response
from fastapi import Path as PathParameter

from facerec.gallery import Sample, acting_as
from facerec.web.person_schemas import ChangeOut, CorrectedOut, Crop, DeletedOut, Merge, Move, PersonChange, Samples
from facerec.web.problems import PROBLEMS, Problem
from facerec.web.routes import Photo, caller_of, service_of

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
P = ParamSpec("P")
T = TypeVar("T")


@router.patch("/persons/{person}", tags=["persons"])
async def change(request: Request, person: UUID, wanted: PersonChange) -> CorrectedOut:
    """Change the name or note of a person, or whether the person is ignored: recognised without the name."""
    corrections = service_of(request).gallery.corrections
    changes: list[UUID | None] = []
    if wanted.ignored is not None:
        changes.append((await _change(request, corrections.ignore, person, ignored=wanted.ignored)).change)
    if wanted.name is not None or wanted.note is not None:
        name = wanted.name or (await _change(request, service_of(request).gallery.show, person))[0].name
        changes.append((await _change(request, corrections.rename, person, name, note=wanted.note)).change)
    shown, _ = await _change(request, service_of(request).gallery.show, person)
    return CorrectedOut.of_changes(shown, *reversed(changes))


@router.post("/persons/{person}/merge", tags=["persons"])
async def merge(request: Request, person: UUID, merging: Merge) -> CorrectedOut:
    """Move all samples of a person to another person, and delete the first."""
    if person == merging.into:
        raise Problem(409, "a person can't be merged with themselves")
    merged = await _change(request, service_of(request).gallery.corrections.merge, person, merging.into)
    return CorrectedOut.of_changes(*merged)


@router.post("/samples/move", tags=["samples"])
async def move(request: Request, moving: Move) -> CorrectedOut:
    """Move samples to another person: the one of the id `to`, or of `name`, who is created if nobody has it."""
    who = moving.to or moving.name
    if who is None or (moving.to and moving.name):
        raise Problem(422, "to, name: send one of the two")
    corrections = service_of(request).gallery.corrections
    return CorrectedOut.of_changes(*(await _change(request, corrections.move, moving.samples, who, new=moving.new)))


@router.post("/samples/delete", tags=["samples"])
async def delete(request: Request, deleting: Samples) -> DeletedOut:
    """Delete samples; their persons stay."""
    deleted = await _change(request, service_of(request).gallery.corrections.delete, deleting.samples)
    return DeletedOut(samples=deleted.samples, changes=[deleted.change] if deleted.change else [])


@router.get(
    "/samples/{crop}/image",
    tags=["samples"],
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
async def image(request: Request, crop: Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$")]) -> Response:
    """The crop of a sample, if it was enrolled with keep_crops=true."""
    kept = await service_of(request).run_in_thread(service_of(request).gallery.kept_crop, crop)
    if kept is None:
        raise Problem(404, "the crop of this sample was not kept")
    return Response(kept, media_type="image/png", headers={"Cache-Control": "private, no-store"})


@router.post("/persons/{person}/denials", tags=["persons"], status_code=201)
async def deny(
    request: Request,
    person: UUID,
    photo: Annotated[Photo | None, File(description="a photo with a face that is not this person")] = None,
    face: Annotated[int, Form(ge=1, description="number of the face in the photo")] = 1,
    sample: Annotated[Crop | None, Form(description="instead of a photo: a sample that is not this person")] = None,
) -> CorrectedOut:
    """Remember that a face is not this person, who is then not returned for it and for faces as near to it."""
    service = service_of(request)
    if (photo is None) == (sample is None):
        raise Problem(422, "photo, sample: send one of the two")
    denied: Sample | str = sample or ""
    if photo is not None:
        denied = await service.sample(await photo.read(), photo.filename or "photo", face)
    return CorrectedOut.of_changes(*(await _change(request, service.gallery.corrections.deny, person, denied)))


@router.delete("/persons/{person}/denials/{crop}", tags=["persons"])
async def allow(request: Request, person: UUID, crop: str) -> CorrectedOut:
    """Forget that a face is not this person."""
    allowed = await _change(request, service_of(request).gallery.corrections.allow, person, crop)
    return CorrectedOut.of_changes(*allowed)


@router.get("/changes", tags=["changes"])
async def changes(request: Request) -> list[ChangeOut]:
    """What can be undone, newest first."""
    entries = await service_of(request).run_in_thread(service_of(request).gallery.corrections.changes)
    return [ChangeOut(**entry._asdict()) for entry in entries]


@router.post("/changes/{change_id}/undo", tags=["changes"])
async def undo(request: Request, change_id: UUID) -> ChangeOut:
    """Undo a change, as long as it can be and no later one touches the same persons."""
    return ChangeOut(**(await _change(request, service_of(request).gallery.corrections.undo, change_id))._asdict())


async def _change(request: Request, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the gallery under the caller's name."""
    with acting_as(caller_of(request)):
        return await service_of(request).run_in_thread(work, *args, **kwargs)
