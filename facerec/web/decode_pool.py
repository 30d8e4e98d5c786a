"""Photos are decoded in processes that can be killed: a hostile file costs a worker, and not the service."""

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue

import numpy as np
import torch
from torch import Tensor

from facerec.errors import DataError
from facerec.web.problems import Problem

# forked from a clean process that has the decoders loaded: a new worker is there in milliseconds
_CONTEXT = get_context("forkserver")
_START_SECONDS = 120  # on a busy machine


class Decoder:
    """A few workers, each with a photo at a time.

    Args:
        workers: processes.
        seconds: for one photo.
        pixels: a photo may have.
    """

    def __init__(self, workers: int, seconds: float, pixels: int) -> None:
        _CONTEXT.set_forkserver_preload(["facerec.crops.photo", "facerec.web.decode_pool"])
        # Ctrl-C is for the service, which then finishes what it has: the workers inherit that it is ignored
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        forkserver.ensure_running()
        signal.signal(signal.SIGINT, before)
        self._seconds, self._pixels = seconds, pixels
        self._threads = ThreadPoolExecutor(workers, "decoder")
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for _ in range(workers):
            self._idle.put(_Worker(pixels))

    async def decode(self, data: bytes) -> Tensor:
        """The photo, upright, `uint8 [3, H, W]`.

        Raises:
            Problem: 413, 415 or 422: too many pixels, no picture, or one that takes too long.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._decode, data)

    def close(self) -> None:
        """End the workers."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().kill()

    def _decode(self, data: bytes) -> Tensor:
        worker = self._idle.get()
        try:
            return worker.decode(data, self._seconds)
        except TimeoutError as error:  # an OSError too, so it comes first
            worker.kill()
            worker = _Worker(self._pixels)
            raise Problem(422, f"the photo takes more than {self._seconds:g} seconds to decode") from error
        except (EOFError, OSError) as error:  # it crashed, or ran out of memory
            worker.kill()
            worker = _Worker(self._pixels)
            raise Problem(422, "the photo can't be decoded: its decoder broke down") from error
        finally:
            self._idle.put(worker)


class _Worker:
    def __init__(self, pixels: int) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, pixels), daemon=True)
        self._process.start()
        theirs.close()
        self._ready = False

    def decode(self, data: bytes, seconds: float) -> Tensor:
        if not self._ready:  # what the first worker imports takes its time, and is no photo's fault
            if not self._pipe.poll(_START_SECONDS):
                raise TimeoutError
            self._ready = bool(self._pipe.recv())
        self._pipe.send_bytes(data)
        if not self._pipe.poll(seconds):
            raise TimeoutError
        shape = self._pipe.recv()
        if isinstance(shape, str):
            status = 413 if "pixels are more than" in shape else 415
            raise Problem(status, shape.removeprefix("photo: "))
        pixels = np.frombuffer(bytearray(self._pipe.recv_bytes()), np.uint8)
        return torch.from_numpy(pixels.reshape(shape)).permute(2, 0, 1)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: "Connection[object, bytes]", pixels: int) -> None:
    """Decode until the service hangs up, which it also does when it is killed."""
    from facerec.crops.photo import read_photo

    os.nice(5)  # the service goes before
    pipe.send(True)
    while True:
        try:
            data = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            photo = read_photo(data, pixels).permute(1, 2, 0).contiguous().numpy()
        except DataError as error:
            pipe.send(str(error))
            continue
        pipe.send(photo.shape)
        pipe.send_bytes(photo.tobytes())
