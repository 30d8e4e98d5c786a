"""Recognition and enrolment behind the routes: decode, detect and embed, then ask the gallery."""

import asyncio
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from PIL import Image

from facerec.crops.contract import Photo
from facerec.faces import Detector
from facerec.gallery import Enrolled, EnrolmentCheck, Gallery, Sample, acting_as
from facerec.gallery.names import printable
from facerec.recognition import (
    EmbedCrops,
    Gates,
    Named,
    PhotoFaces,
    embed_photos,
    identify_photo,
    review,
    sample_of,
    weakness,
)
from facerec.web.decode_pool import DecodePool
from facerec.web.inference_queue import InferenceQueue
from facerec.web.limits import Limits
from facerec.web.metrics import Metrics
from facerec.web.problems import Problem

_PREVIEW_SIDE = 2048  # pixels
UNLIKE = "urn:facerec:unlike"  # the type of the problem that a user may override

P = ParamSpec("P")
T = TypeVar("T")


class Settings(NamedTuple):
    """How faces are detected, reviewed and recognised; the keys of conf/serve.yaml."""

    min_size: float
    min_score: float
    batch_size: int
    review: Literal["largest", "strict"]
    gates: Gates
    keep_crops: bool
    far: float
    per: Literal["search", "pair"]


class PhotoOutcome(NamedTuple):
    """The outcome for one photo of an enrolment: its sample or why it was refused, doubts, and what is weak."""

    source: str
    sample: Sample | str
    check: EnrolmentCheck
    weak: str


class Service:
    """Recognises and enrols people.

    Args:
        gallery: an open gallery; `close` does not close it.
        detector: finds faces in photos.
        embed: maps crops to vectors.
        settings: of detection, review and recognition.
        limits: of requests.
        decoders: number of processes that decode photos.
    """

    def __init__(
        self,
        gallery: Gallery,
        detector: Detector,
        embed: EmbedCrops,
        settings: Settings,
        limits: Limits,
        decoders: int,
    ) -> None:
        self.gallery, self.settings, self.limits = gallery, settings, limits
        self._detector, self._embed = detector, embed
        self._decode_pool = DecodePool(decoders, limits.decode_seconds, limits.photo_pixels)
        self.inference_queue = InferenceQueue(self._infer, settings.batch_size, limits.waiting)
        self.metrics = Metrics(lambda: self.inference_queue.waiting)
        self._threads = ThreadPoolExecutor(4, "gallery")

    async def run_in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call, such as the gallery's, without blocking the event loop."""
        call = partial(copy_context().run, partial(work, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def embed_photo(self, data: bytes) -> PhotoFaces:
        """Decode a photo, and detect and embed its faces.

        Raises:
            Problem: 413, 415, 422 the photo, 503 the queue is full.
        """
        return await self.inference_queue.run(await self.decode(data))

    async def preview(self, data: bytes) -> bytes:
        """A photo as an upright JPEG of at most `_PREVIEW_SIDE` pixels a side.

        Raises:
            Problem: 413, 415, 422 the photo.
        """
        return await self.run_in_thread(_jpeg, await self.decode(data))

    async def identify(self, data: bytes, far: float, top: int) -> tuple[PhotoFaces, list[Named]]:
        """The faces of a photo, and who they are.

        Raises:
            Problem: see `embed_photo`.
        """
        photo = await self.embed_photo(data)
        rule = {"far": far, "per": self.settings.per}
        return photo, await self.run_in_thread(identify_photo, self.gallery, photo.vectors, top=top, **rule)

    async def enroll(
        self,
        who: str | UUID,
        photos: Sequence[tuple[str, bytes]],
        face: int | None,
        actor: str,
        *,
        new: bool = False,
        ask: bool = False,
    ) -> tuple[Enrolled, list[PhotoOutcome]]:
        """Enrol a person from photos, all in one transaction.

        Args:
            who: name or id of the person.
            photos: file names and contents.
            face: number of the face, from 1; None: the largest of each photo.
            actor: for the audit.
            new: create a person even if somebody has that name.
            ask: enrol nothing if a face does not look like the person of that name.

        Raises:
            Problem: 422, no photo has a face to enrol; 409, with `ask`, a face does not look like the person.
        """
        outcomes = []
        for file, data in photos:  # one at a time, so that a large enrolment does not hold up other requests
            source, weak = base_name(file), ""
            try:
                sample, weak = self._review(await self.embed_photo(data), source, face)
            except Problem as problem:
                if len(photos) == 1 or problem.status == 503:
                    raise
                sample = problem.detail
            check = EnrolmentCheck(None, None)
            if not isinstance(sample, str) and not new:
                check = await self._check(sample, who)
            if check.unlike is not None:
                reason = f"does not look like the photos enrolled as {await self._name(who)}"
                if self.settings.review == "strict":
                    sample = reason
                elif ask:
                    raise Problem(409, f"the face in {source} {reason}", kind=UNLIKE)
            outcomes.append(PhotoOutcome(source, sample, check, weak))
        samples = [outcome.sample for outcome in outcomes if isinstance(outcome.sample, Sample)]
        if not samples:
            reasons = "; ".join(f"{outcome.source}: {outcome.sample}" for outcome in outcomes)
            raise Problem(422, f"nobody was enrolled: {reasons}")
        with acting_as(actor):
            return await self.run_in_thread(self.gallery.enroll, who, samples, new=new), outcomes

    async def sample(self, data: bytes, file: str, face: int) -> Sample:
        """Face number `face` of a photo, from 1.

        Raises:
            Problem: see `embed_photo`; 422, the photo has no such face.
        """
        photo = await self.embed_photo(data)
        if face > len(photo.faces):
            raise Problem(422, f"face: {face} does not exist; the photo has {len(photo.faces)} faces")
        return sample_of(photo, face - 1, base_name(file), keep=self.settings.keep_crops)

    def close(self) -> None:
        """Finish the requests that were accepted."""
        self.inference_queue.close()
        self._decode_pool.close()
        self._threads.shutdown()

    async def decode(self, data: bytes) -> Photo:
        """Decode a photo, upright, in a process that may be killed.

        Raises:
            Problem: 413, 415, 422 the photo.
        """
        if len(data) > self.limits.photo_bytes:
            raise Problem(
                413, f"the photo has {len(data):,} bytes; at most {self.limits.photo_bytes:,} are allowed"
            )
        return await self._decode_pool.decode(data)

    async def _name(self, who: str | UUID) -> str:
        if isinstance(who, str):
            return who
        person, _ = await self.run_in_thread(self.gallery.show, who)
        return person.name

    async def _check(self, sample: Sample, who: str | UUID) -> EnrolmentCheck:
        far, per, vectors = self.settings.far, self.settings.per, sample.vector[None]
        [check] = await self.run_in_thread(self.gallery.check_enrolment, who, vectors, far=far, per=per)
        return check

    def _review(self, photo: PhotoFaces, source: str, face: int | None) -> tuple[Sample | str, str]:
        """The sample or why it is refused, and what is weak about it."""
        if face is not None:
            if not 1 <= face <= len(photo.faces):
                return f"face {face} does not exist; the photo has {len(photo.faces)} faces", ""
            photo = photo.only(face - 1)
        gates = self.settings.gates
        strict = gates if self.settings.review == "strict" else None
        return review(photo, source, strict=strict, keep=self.settings.keep_crops), weakness(photo, gates)

    def _infer(self, files: Sequence[Path], photos: Sequence[Photo]) -> list[PhotoFaces]:
        bounds = {"min_size": self.settings.min_size, "min_score": self.settings.min_score}
        results = embed_photos(files, photos, self._detector, self._embed, **bounds)
        self.metrics.batch_done(len(photos), sum(len(photo.faces) for photo in results))
        return results


def _jpeg(photo: Photo) -> bytes:
    image = Image.fromarray(photo)
    image.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def base_name(file: str) -> str:
    """A photo's file name without its folders, in one line of at most 200 characters."""
    return printable(PurePosixPath(file.replace("\\", "/")).name)[:200] or "photo"
