"""One thread runs detector and embedder for all requests, in batches of the photos that are waiting."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import Full, Queue

from facerec.crops.contract import Photo
from facerec.recognition import PhotoFaces
from facerec.web.problems import busy

Inference = Callable[[Sequence[Photo], Sequence[bool]], list[PhotoFaces]]
_Job = tuple[Photo, bool, "asyncio.Future[PhotoFaces]", asyncio.AbstractEventLoop]


class InferenceQueue:
    """A bounded queue in front of detector and embedder.

    A batch is whatever is waiting when the one before is done; it never waits to be filled.

    Args:
        inference: photos, and whether to embed the faces of each, to these faces.
        batch_size: photos in a batch, at most.
        capacity: photos in the queue, at most.
    """

    def __init__(self, inference: Inference, batch_size: int, capacity: int) -> None:
        self._inference, self._batch_size = inference, batch_size
        self._queue: Queue[_Job | None] = Queue(capacity)
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Approximate number of photos in the queue."""
        return self._queue.qsize()

    @property
    def alive(self) -> bool:
        """Whether the inference thread is running."""
        return self._thread.is_alive()

    async def run(self, photo: Photo, *, embed: bool = True) -> PhotoFaces:
        """Detect the faces of a photo `uint8 [H, W, 3]`, and embed them unless `embed` is false.

        Raises:
            Problem: 503, the queue is full.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[PhotoFaces] = loop.create_future()
        try:
            self._queue.put_nowait((photo, embed, future, loop))
        except Full:
            raise busy("too many photos are waiting; try again in a moment") from None
        return await future

    def close(self) -> None:
        """Finish what is waiting, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        job: _Job | None
        while (job := self._queue.get()) is not None:
            batch = []
            while job is not None:
                batch.append(job)
                if len(batch) == self._batch_size or self._queue.empty():
                    break
                job = self._queue.get()
            self._answer([waiting for waiting in batch if not waiting[2].cancelled()])
            if job is None:
                return

    def _answer(self, batch: Sequence[_Job]) -> None:
        if not batch:
            return
        try:
            results = self._inference([photo for photo, *_ in batch], [embed for _, embed, *_ in batch])
        except Exception as error:  # reported to the callers of this batch; the thread goes on
            for *_, future, loop in batch:
                loop.call_soon_threadsafe(_fail, future, error)
            return
        for (*_, future, loop), result in zip(batch, results, strict=True):
            loop.call_soon_threadsafe(_resolve, future, result)


def _resolve(future: "asyncio.Future[PhotoFaces]", result: PhotoFaces) -> None:
    if not future.done():  # the client may have disconnected
        future.set_result(result)


def _fail(future: "asyncio.Future[PhotoFaces]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
