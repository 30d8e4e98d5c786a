"""Photos in, people out: what the routes have in common."""

import asyncio
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

from PIL import Image
from torch import Tensor

from facerec.faces import Detector
from facerec.gallery import Answer, Doubt, Enrolled, Gallery, Sample, acting_as
from facerec.gallery.names import printable
from facerec.recognition import EmbedCrops, PhotoFaces, embed_photos, review
from facerec.web.decode_pool import Decoder
from facerec.web.inference_queue import Looker
from facerec.web.limits import Limits
from facerec.web.metrics import Metrics
from facerec.web.problems import Problem

_PREVIEW = 2048
UNLIKE = "urn:facerec:unlike"  # the kind of problem that people may overrule

P = ParamSpec("P")
T = TypeVar("T")


class Choice(NamedTuple):
    """How faces are chosen and judged; as in conf/serve.yaml."""

    min_size: float
    min_score: float
    batch_size: int
    review: Literal["largest", "strict"]
    strict_size: float
    strict_sharpness: float
    keep_crops: bool
    far: float
    per: Literal["search", "pair"]


class Taken(NamedTuple):
    """A photo of an enrolment: its sample, or why there is none, and what speaks against it."""

    source: str
    sample: Sample | str
    doubt: Doubt


class Service:
    """A gallery with eyes.

    Args:
        gallery: open; `close` leaves it so.
        detector: of faces.
        embed: crops to vectors.
        choice: of faces.
        limits: of requests.
        decoders: processes that decode.
    """

    def __init__(
        self, gallery: Gallery, detector: Detector, embed: EmbedCrops, choice: Choice, limits: Limits, decoders: int
    ) -> None:
        self.gallery, self.choice, self.limits = gallery, choice, limits
        self._detector, self._embed = detector, embed
        self._decoder = Decoder(decoders, limits.decode_seconds, limits.photo_pixels)
        self.looker = Looker(self._see, choice.batch_size, limits.waiting)
        self.metrics = Metrics(lambda: self.looker.waiting)
        self._threads = ThreadPoolExecutor(4, "gallery")

    async def ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call of the gallery, beside the loop."""
        call = partial(copy_context().run, partial(work, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def look(self, data: bytes) -> PhotoFaces:
        """Who is in a photo, as vectors.

        Raises:
            Problem: 413, 415, 422 the photo, 503 the queue.
        """
        return await self.looker.look(await self._decode(data))

    async def preview(self, data: bytes) -> bytes:
        """A photo as every browser shows it: a JPEG, upright, of at most `_PREVIEW` pixels a side.

        Raises:
            Problem: 413, 415, 422 the photo.
        """
        return await self.ask(_jpeg, await self._decode(data))

    async def identify(self, data: bytes, far: float, top: int) -> tuple[PhotoFaces, list[Answer]]:
        """The faces of a photo, and who they are."""
        seen = await self.look(data)
        if not seen.faces:
            return seen, []
        return seen, await self.ask(self.gallery.identify, seen.vectors, top=top, far=far, per=self.choice.per)

    async def enroll(
        self, name: str, photos: Sequence[tuple[str, bytes]], face: int | None, actor: str, *, ask: bool = False
    ) -> tuple[Enrolled, list[Taken]]:
        """Enrol a person from photos, all in one transaction.

        Args:
            name: of the person.
            photos: their files' names, and their bytes.
            face: which of the faces, from 1; None: the largest of each.
            actor: for the audit.
            ask: enrol nobody if a face does not look like the person of that name.

        Raises:
            Problem: 422, there is nobody to enrol in any of them; 409, asked, and a face does not look like them.
        """
        taken = []
        for file, data in photos:  # one after another: many of one person wait behind one of another
            source = base_name(file)
            try:
                sample = self._sample(await self.look(data), source, face)
            except Problem as problem:
                if len(photos) == 1 or problem.status == 503:
                    raise
                sample = problem.detail
            doubt = Doubt(None, None) if isinstance(sample, str) else await self._doubt(sample, name)
            if doubt.unlike is not None:
                said = f"does not look like the {name} you have"
                if self.choice.review == "strict":
                    sample = said
                elif ask:
                    raise Problem(409, f"the face in {source} {said}", kind=UNLIKE)
            taken.append(Taken(source, sample, doubt))
        samples = [one.sample for one in taken if isinstance(one.sample, Sample)]
        if not samples:
            raise Problem(422, "nobody was enrolled: " + "; ".join(f"{one.source}: {one.sample}" for one in taken))
        with acting_as(actor):
            return await self.ask(self.gallery.enroll, name, samples), taken

    def close(self) -> None:
        """Finish what was accepted."""
        self.looker.close()
        self._decoder.close()
        self._threads.shutdown()

    async def _decode(self, data: bytes) -> Tensor:
        if len(data) > self.limits.photo_bytes:
            raise Problem(413, f"a photo may have {self.limits.photo_bytes:,} bytes, and this has {len(data):,}")
        return await self._decoder.decode(data)

    async def _doubt(self, sample: Sample, name: str) -> Doubt:
        rule: dict[str, Any] = {"far": self.choice.far, "per": self.choice.per}
        [doubt] = await self.ask(self.gallery.doubts, name, sample.vector[None], **rule)
        return doubt

    def _sample(self, seen: PhotoFaces, source: str, face: int | None) -> Sample | str:
        if face is not None:
            if not 1 <= face <= len(seen.faces):
                return f"there is no face {face}, as {len(seen.faces)} were found"
            row = slice(face - 1, face)
            seen = seen._replace(faces=seen.faces[row], crops=seen.crops[row], vectors=seen.vectors[row])
            seen = seen._replace(without_vector=())
        one = self.choice
        sizes = {"min_size": one.strict_size, "min_sharpness": one.strict_sharpness}
        return review(seen, source, strict=one.review == "strict", keep=one.keep_crops, **sizes)

    def _see(self, files: Sequence[Path], photos: Sequence[Tensor]) -> list[PhotoFaces]:
        bounds = {"min_size": self.choice.min_size, "min_score": self.choice.min_score}
        seen = embed_photos(files, photos, self._detector, self._embed, **bounds)
        self.metrics.looked(len(photos), sum(len(one.faces) for one in seen))
        return seen


def _jpeg(photo: Tensor) -> bytes:
    picture = Image.fromarray(photo.permute(1, 2, 0).numpy())
    picture.thumbnail((_PREVIEW, _PREVIEW))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def base_name(file: str) -> str:
    """What a photo is called, and no path: the last part of its name, in one line, 200 characters at most."""
    return printable(PurePosixPath(file.replace("\\", "/")).name)[:200] or "photo"
