"""Load on the service, on loopback: `python benchmarks/serve.py PHOTO [PHOTO …] url=http://127.0.0.1:8000`.

Throughput, p50, p99 and errors at 1, 4, 16 and 64 clients; then, with `requests=5000`, the service's memory.
Start the service with `limits.rate=1000000/minute`. `pid=` is its process, whose memory is read.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import httpx
import numpy as np
import psutil

SECONDS = 10.0


async def load(
    url: str, photos: Sequence[bytes], clients: int, seconds: float, most: int
) -> tuple[float, list[float], int]:
    """Ask for `seconds`, or `most` times; returns how long it took, the seconds of each answer, and the errors."""
    times: list[float] = []
    errors, following, began = 0, cycle(photos), time.perf_counter()

    async def one(client: httpx.AsyncClient) -> None:
        nonlocal errors
        while time.perf_counter() - began < seconds and len(times) + errors < most:
            start = time.perf_counter()
            answer = await client.post(
                "/api/v1/identify", files={"photo": ("p.jpg", next(following), "image/jpeg")}
            )
            if answer.status_code == 200:
                times.append(time.perf_counter() - start)
            else:
                errors += 1
                await asyncio.sleep(float(answer.headers.get("Retry-After", 0)))

    async with httpx.AsyncClient(base_url=url, timeout=120, limits=httpx.Limits(max_connections=clients)) as client:
        await asyncio.gather(*(one(client) for _ in range(clients)))
    return time.perf_counter() - began, times, errors


def memory(pid: int) -> float:
    """MB of a process and those it started, PostgreSQL apart."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(one.memory_info().rss for one in family if "postgres" not in one.name()) / 2**20


def main(words: Sequence[str]) -> None:
    """Print a table in Markdown."""
    given = dict(word.split("=", 1) for word in words if "=" in word)
    photos = [Path(word).read_bytes() for word in words if "=" not in word]
    url = given.get("url", "http://127.0.0.1:8000")
    asyncio.run(load(url, photos, 1, 2, 10**9))  # warm
    print("| clients | photos/s | p50 ms | p99 ms | errors |\n| --- | --- | --- | --- | --- |")
    for clients in (1, 4, 16, 64):
        took, times, errors = asyncio.run(load(url, photos, clients, SECONDS, 10**9))
        p50, p99 = np.percentile(np.array(times) * 1000, (50, 99))
        print(f"| {clients} | {len(times) / took:.1f} | {p50:.0f} | {p99:.0f} | {errors} |", flush=True)
    total, done = int(given.get("requests", 0)), 0
    while done < total:
        part = min(500, total - done)
        _, times, errors = asyncio.run(load(url, photos, 16, 1e9, part))
        done += len(times) + errors
        print(f"{done} requests: {memory(int(given['pid'])):.0f} MB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
