"""One thread finds and embeds for all requests, as many photos at once as are waiting."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Full, Queue

from torch import Tensor

from facerec.recognition import PhotoFaces
from facerec.web.problems import busy

See = Callable[[Sequence[Path], Sequence[Tensor]], list[PhotoFaces]]
_Job = tuple[Tensor, "asyncio.Future[PhotoFaces]", asyncio.AbstractEventLoop]


class Looker:
    """A bounded queue in front of detector and embedder.

    A batch is what is waiting when the one before is done: nobody waits for others to come.

    Args:
        see: names and photos to who is seen.
        batch_size: photos at once, at most.
        waiting: photos in the queue, at most.
    """

    def __init__(self, see: See, batch_size: int, waiting: int) -> None:
        self._see, self._batch_size = see, batch_size
        self._queue: Queue[_Job | None] = Queue(waiting)
        self._thread = threading.Thread(target=self._work, name="looker", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Photos in the queue, about."""
        return self._queue.qsize()

    @property
    def alive(self) -> bool:
        """Whether anybody looks."""
        return self._thread.is_alive()

    async def look(self, photo: Tensor) -> PhotoFaces:
        """The faces of a photo `uint8 [3, H, W]`.

        Raises:
            Problem: 503, the queue is full.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[PhotoFaces] = loop.create_future()
        try:
            self._queue.put_nowait((photo, future, loop))
        except Full:
            raise busy("too many photos are waiting; try again in a moment") from None
        return await future

    def close(self) -> None:
        """Finish what is waiting, and end."""
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
            self._answer([one for one in batch if not one[1].cancelled()])
            if job is None:
                return

    def _answer(self, batch: Sequence[_Job]) -> None:
        if not batch:
            return
        try:
            seen = self._see([Path("photo")] * len(batch), [photo for photo, _, _ in batch])
        except Exception as error:  # goes to those who asked; the thread serves the next
            for _, future, loop in batch:
                loop.call_soon_threadsafe(_fail, future, error)
            return
        for (_, future, loop), one in zip(batch, seen, strict=True):
            loop.call_soon_threadsafe(_give, future, one)


def _give(future: "asyncio.Future[PhotoFaces]", seen: PhotoFaces) -> None:
    if not future.done():  # who asked may have gone away
        future.set_result(seen)


def _fail(future: "asyncio.Future[PhotoFaces]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
