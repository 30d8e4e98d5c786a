"""Decode photos in processes that can be killed: a hostile file costs a worker, not the service.

Each worker has a pipe of its own, so that killing one, even while it sends, leaves the others alone.
"""

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

import numpy as np

from facerec.crops.contract import Photo
from facerec.errors import DataError, PhotoSizeError
from facerec.web.problems import Problem

# forked from a clean process that has the decoders loaded, a new worker starts within milliseconds; not on Windows
_FORKSERVER = "forkserver" in get_all_start_methods()
_CONTEXT: Any = get_context("forkserver" if _FORKSERVER else "spawn")
_START_SECONDS = 120  # on a busy machine


class DecodePool:
    """A few worker processes, each of which decodes one photo at a time.

    Args:
        workers: number of processes.
        seconds: allowed for one photo.
        pixels: allowed in one photo.
    """

    def __init__(self, workers: int, seconds: float, pixels: int) -> None:
        if _FORKSERVER:
            _start_forkserver()
        self._seconds, self._pixels = seconds, pixels
        self._threads = ThreadPoolExecutor(workers, "decode")
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for _ in range(workers):
            self._idle.put(_Worker(pixels))

    async def decode(self, data: bytes) -> Photo:
        """The photo, upright, `uint8 [H, W, 3]`.

        Raises:
            Problem: 413, too many pixels; 415, not a photo; 422, it took too long or crashed its worker.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._decode, data)

    def close(self) -> None:
        """End the workers."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().kill()

    def _decode(self, data: bytes) -> Photo:
        worker = self._idle.get()
        try:
            return worker.decode(data, self._seconds)
        except TimeoutError as error:  # an OSError too, so it comes first
            worker = self._replace(worker)
            raise Problem(422, f"decoding the photo took more than {self._seconds:g} seconds") from error
        except (EOFError, OSError) as error:
            worker = self._replace(worker)
            raise Problem(422, "decoding the photo crashed the decoder or used too much memory") from error
        finally:
            self._idle.put(worker)

    def _replace(self, worker: "_Worker") -> "_Worker":
        worker.kill()
        return _Worker(self._pixels)


def _start_forkserver() -> None:
    from multiprocessing import forkserver

    _CONTEXT.set_forkserver_preload(["facerec.crops.photo", "facerec.web.decode_pool"])
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C must not end the forkserver either
    forkserver.ensure_running()
    signal.signal(signal.SIGINT, before)


class _Worker:
    def __init__(self, pixels: int) -> None:
        self._pipe, child_pipe = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(child_pipe, pixels), daemon=True)
        self._process.start()
        child_pipe.close()
        self._ready = False

    def decode(self, data: bytes, seconds: float) -> Photo:
        if not self._ready:  # the first worker's imports do not count against the photo
            if not self._pipe.poll(_START_SECONDS):
                raise TimeoutError
            self._ready = bool(self._pipe.recv())
        self._pipe.send_bytes(data)
        if not self._pipe.poll(seconds):
            raise TimeoutError
        answer = self._pipe.recv()
        if isinstance(answer, DataError):
            raise Problem(413 if isinstance(answer, PhotoSizeError) else 415, str(answer).removeprefix("photo: "))
        pixels = np.frombuffer(bytearray(self._pipe.recv_bytes()), np.uint8)
        return pixels.reshape(answer)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: "Connection[object, bytes]", pixels: int) -> None:
    """Decode until the service closes the pipe, which also happens when it is killed."""
    from facerec.crops.photo import read_photo

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then finishes what it has
    if hasattr(os, "nice"):  # not on Windows
        os.nice(5)  # the service's own threads go first
    pipe.send(True)
    while True:
        try:
            data = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            photo = read_photo(data, pixels)
        except DataError as error:
            pipe.send(error)
            continue
        pipe.send(photo.shape)
        pipe.send_bytes(photo.tobytes())
