"""What all galleries of a service share: decode a photo, detect its faces, embed them."""

import asyncio
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, ParamSpec, TypeVar

from PIL import Image

from facerec.crops.contract import Photo
from facerec.faces import Detector
from facerec.models import Model
from facerec.recognition import Gates, PhotoFaces, detect_photos, embed_photos
from facerec.web.decode_pool import DecodePool
from facerec.web.inference_queue import InferenceQueue
from facerec.web.limits import Limits
from facerec.web.metrics import Metrics
from facerec.web.problems import Problem

_GENERIC = ("model", "model.yaml", "contract.yaml")  # what many models' folders and files are called
_PREVIEW_SIDE = 2048  # pixels

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


class Pipeline:
    """From the bytes of a photo to faces and vectors.

    Args:
        model: maps crops to vectors.
        detector: finds faces in photos.
        settings: of detection, review and recognition.
        limits: of requests.
        decoders: number of processes that decode photos.
    """

    def __init__(self, model: Model, detector: Detector, settings: Settings, limits: Limits, decoders: int) -> None:
        self.model, self.settings, self.limits = model, settings, limits
        self._detector = detector
        self._decode_pool = DecodePool(decoders, limits.decode_seconds, limits.photo_pixels)
        self.inference_queue = InferenceQueue(self._infer, settings.batch_size, limits.waiting)
        self.metrics = Metrics(lambda: self.inference_queue.waiting)
        self._threads = ThreadPoolExecutor(4, "gallery")

    @property
    def model_name(self) -> str:
        """What to call the model: a ready-made one's name, or the folder that holds it, without where that is."""
        path = self.model.path
        parts = path.parts if len(path.parts) == 1 and path.name not in _GENERIC else path.resolve().parts
        return next(part for part in reversed(parts) if part not in _GENERIC)

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

    async def detect_faces(self, data: bytes) -> PhotoFaces:
        """Decode a photo and detect its faces; their vectors have length 0.

        Raises:
            Problem: see `embed_photo`.
        """
        return await self.inference_queue.run(await self.decode(data), embed=False)

    async def preview(self, data: bytes) -> bytes:
        """A photo as an upright JPEG of at most `_PREVIEW_SIDE` pixels a side.

        Raises:
            Problem: 413, 415, 422 the photo.
        """
        return await self.run_in_thread(_jpeg, await self.decode(data))

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

    def _infer(self, photos: Sequence[Photo], embed: Sequence[bool]) -> list[PhotoFaces]:
        bounds = {"min_size": self.settings.min_size, "min_score": self.settings.min_score}
        results: dict[int, PhotoFaces] = {}
        for wanted in set(embed):
            rows = [row for row, asked in enumerate(embed) if asked == wanted]
            files, chosen = [Path("photo")] * len(rows), [photos[row] for row in rows]
            faces = (
                embed_photos(files, chosen, self._detector, self.model.embed, **bounds)
                if wanted
                else detect_photos(files, chosen, self._detector, **bounds)
            )
            results |= zip(rows, faces, strict=True)
        self.metrics.batch_done(len(photos), sum(len(photo.faces) for photo in results.values()))
        return [results[row] for row in range(len(photos))]


def _jpeg(photo: Photo) -> bytes:
    image = Image.fromarray(photo)
    image.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()
