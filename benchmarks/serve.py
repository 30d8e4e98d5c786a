"""Load-test the service over loopback: `python benchmarks/serve.py PHOTO [PHOTO …] url=http://127.0.0.1:8000`.

Prints throughput, p50, p99 and errors for 1, 4, 16 and 64 clients; with `requests=5000 pid=PID` also the memory of
the service's process and its children. Start the service with `limits.rate=1000000/minute`.
"""

import asyncio
import math
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
    url: str, photos: Sequence[bytes], clients: int, seconds: float, requests: float
) -> tuple[float, list[float], int]:
    """Send requests for `seconds`, or `requests` of them; returns duration, seconds of each answer, errors."""
    times: list[float] = []
    errors, next_photo, began = 0, cycle(photos), time.perf_counter()

    async def send(client: httpx.AsyncClient) -> None:
        nonlocal errors
        while time.perf_counter() - began < seconds and len(times) + errors < requests:
            start = time.perf_counter()
            answer = await client.post(
                "/api/v1/identify", files={"photo": ("p.jpg", next(next_photo), "image/jpeg")}
            )
            if answer.status_code == 200:
                times.append(time.perf_counter() - start)
            else:
                errors += 1
                await asyncio.sleep(float(answer.headers.get("Retry-After", 0)))

    async with httpx.AsyncClient(base_url=url, timeout=120, limits=httpx.Limits(max_connections=clients)) as client:
        await asyncio.gather(*(send(client) for _ in range(clients)))
    return time.perf_counter() - began, times, errors


def memory(pid: int) -> float:
    """Resident MB of a process and its children, without PostgreSQL."""
    process = psutil.Process(pid)
    processes = [process, *process.children(recursive=True)]
    return sum(each.memory_info().rss for each in processes if "postgres" not in each.name()) / 2**20


def main(arguments: Sequence[str]) -> None:
    """Print a Markdown table."""
    options = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    photos = [Path(argument).read_bytes() for argument in arguments if "=" not in argument]
    url = options.get("url", "http://127.0.0.1:8000")
    asyncio.run(load(url, photos, 1, 2, math.inf))  # warm up
    print("| clients | photos/s | p50 ms | p99 ms | errors |\n| --- | --- | --- | --- | --- |")
    for clients in (1, 4, 16, 64):
        duration, times, errors = asyncio.run(load(url, photos, clients, SECONDS, math.inf))
        p50, p99 = np.percentile(np.array(times) * 1000, (50, 99))
        print(f"| {clients} | {len(times) / duration:.1f} | {p50:.0f} | {p99:.0f} | {errors} |", flush=True)
    total, done = int(options.get("requests", 0)), 0
    while done < total:
        batch = min(500, total - done)
        _, times, errors = asyncio.run(load(url, photos, 16, math.inf, batch))
        done += len(times) + errors
        print(f"{done} requests: {memory(int(options['pid'])):.0f} MB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
