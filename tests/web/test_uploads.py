"""Uploads that are too large, too slow, not photos, or crash their decoder."""

import asyncio
import io
import os
import re
import signal
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

from facerec.crops import Photo
from facerec.web.decode_pool import DecodePool
from facerec.web.problems import Problem
from tests.web.conftest import ANN, Running, check_problem, identify, photo


def test_sizes_are_limited(service: Running) -> None:
    check_problem(identify(service.client, b"\xff" * 20_100_000), 413)
    wide = io.BytesIO()
    Image.new("L", (10_000, 6_000)).save(wide, "PNG")
    assert "pixels are more than" in check_problem(identify(service.client, wide.getvalue()), 413)

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 2**20

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    try:
        answer = service.client.post("/api/v1/identify", content=endless(), headers=headers)
        check_problem(answer, 413)
    except httpx.TransportError:
        pass  # the service hung up while we were still sending
    assert service.client.get("/api/v1/ready").status_code == 200


def test_slow_uploads_block_nobody(service: Running) -> None:
    before = _disconnects(service)
    slow = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(20)]
    head = "POST /api/v1/identify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000\r\n"
    for connection in slow:
        connection.sendall((head + "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b").encode())
    assert identify(service.client, photo(ANN, 1)).status_code == 200
    for connection in slow:
        connection.close()
    end = time.monotonic() + 60
    while _disconnects(service) < before + 20:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert "Traceback" not in service.log.read_text()


def _disconnects(service: Running) -> int:
    text = service.client.get("/api/v1/metrics").text
    match = re.search(r'facerec_requests_total{route="other",status="499"} (\d+)', text)
    return int(match[1]) if match else 0


def bad_photos() -> list[bytes]:
    """Truncated, damaged and hostile files of every format."""
    random = np.random.default_rng(0)
    files = [b"", b"\0", b"GIF89a", b"%!PS-Adobe-3.0 EPSF", b"<svg/>", b"P6 9 9 255\n"]
    picture = Image.open(io.BytesIO(photo(ANN, 1))).resize((60, 50))
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM", "TIFF", "AVIF"):
        stream = io.BytesIO()
        picture.save(stream, kind)
        whole = stream.getvalue()
        files += [whole[:cut] for cut in random.integers(1, len(whole) - 1, 6)]
        for _ in range(12):
            flipped = bytearray(whole)
            for place in random.integers(0, len(whole), 8):
                flipped[place] ^= int(random.integers(1, 256))
            files.append(bytes(flipped))
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    files.append(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    return files


def test_bad_photos_are_never_internal_errors(service: Running) -> None:
    statuses: dict[int, int] = {}
    for content in bad_photos():
        answer = identify(service.client, content)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code in (200, 413, 415, 422), answer.text  # some damage leaves a photo
    assert statuses.get(415, 0) > 50


def test_a_worker_that_dies_or_hangs_is_replaced() -> None:
    pool = DecodePool(1, 120, 10**7)

    def decode() -> Photo:  # in another thread: this one runs Playwright's event loop
        with ThreadPoolExecutor() as thread:
            return thread.submit(asyncio.run, pool.decode(photo(ANN, 1))).result()

    def signal_worker(number: int) -> None:
        worker = pool._idle.get()
        assert worker._process.pid is not None
        os.kill(worker._process.pid, number)
        pool._idle.put(worker)

    try:
        signal_worker(signal.SIGKILL)
        with pytest.raises(Problem, match="crashed the decoder"):
            decode()
        assert decode().shape == (224, 184, 3)
        signal_worker(signal.SIGSTOP)  # a decoder that never finishes
        pool._seconds = 0.2
        with pytest.raises(Problem, match=r"more than 0\.2 seconds"):
            decode()
        pool._seconds = 120
        assert decode().shape == (224, 184, 3)
    finally:
        pool.close()
