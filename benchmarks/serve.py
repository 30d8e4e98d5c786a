"""Photos a second of the service over loopback, beside a server around face_recognition.

python benchmarks/serve.py photo=PHOTO model=sface persons=100 seconds=8 rounds=3

Both know as many people, one of whom is in the photo, and both have all cores, which they share with the clients:
ours in one process that batches, the other in a process for each core.
"""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx
import numpy as np
import psutil
from hydra.utils import instantiate
from omegaconf import OmegaConf
from photo import a_photo, directions
from results import Figure, record
from timing import options

from facerec.crops import read_photo
from facerec.gallery import Gallery, Sample
from facerec.job import CONFIG_DIR
from facerec.models import open_model
from facerec.recognition import embed_photos

CLIENTS = (1, 4, 16, 64)


async def load(url: str, photo: bytes, clients: int, seconds: float) -> tuple[float, list[float]]:
    """Send one request after the other from each client; photos a second, and milliseconds of each answer."""
    times: list[float] = []
    began = time.perf_counter()

    async def send(client: httpx.AsyncClient) -> None:
        while time.perf_counter() - began < seconds:
            start = time.perf_counter()
            answer = await client.post(url, files={"photo": ("photo.jpg", photo, "image/jpeg")})
            answer.raise_for_status()
            assert "the one in the photo" in answer.text, "who is in the photo is not recognised"
            times.append(1000 * (time.perf_counter() - start))

    async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=clients)) as client:
        await asyncio.gather(*(send(client) for _ in range(clients)))
    return len(times) / (time.perf_counter() - began), times


@contextmanager
def running(port: int, *command: str, **environment: str) -> Iterator[tuple[int, float]]:
    """A server, once it listens; its process id, and the seconds that took."""
    with socket.socket() as line:
        if line.connect_ex(("127.0.0.1", port)) == 0:
            raise SystemExit(f"port {port}: another server listens there; stop it")
    began = time.perf_counter()
    with subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL) as server:
        try:
            for _ in count():
                with socket.socket() as line:
                    if line.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if server.poll() is not None:
                    raise SystemExit(f"{command}: ended with status {server.returncode}")
                time.sleep(0.1)
            yield server.pid, time.perf_counter() - began
        finally:
            server.terminate()


def memory(pid: int) -> float:
    """MiB of a process and its children, without PostgreSQL; shared pages count once."""
    process = psutil.Process(pid)
    processes = [process, *process.children(recursive=True)]
    return sum(each.memory_full_info().pss for each in processes if "postgres" not in each.name()) / 2**20


def enroll(file: Path, model: str, persons: int, folder: Path) -> tuple[Path, Path]:
    """The one in the photo and made-up others, in a gallery and as face_recognition's encodings."""
    import face_recognition

    opened = open_model(model, "cpu", "outputs/cache")
    detector = instantiate(OmegaConf.load(CONFIG_DIR / "detector" / "retinaface.yaml"))
    [photo] = embed_photos([file], [read_photo(file)], detector, opened.embed, min_size=20, min_score=0.8)
    gallery, known = folder / "gallery", folder / "known.npy"
    with Gallery.open(gallery, opened) as opened_gallery:
        opened_gallery.enroll("the one in the photo", [Sample(photo.vectors[0])])
        for row, vector in enumerate(directions(persons - 1, photo.vectors.shape[1])):
            opened_gallery.enroll(f"other {row}", [Sample(vector)])
    encodings = face_recognition.face_encodings(face_recognition.load_image_file(file))
    np.save(known, np.concatenate([encodings[:1], directions(persons - 1, 128)]))
    return gallery, known


def main() -> None:
    """Print photos a second, the slowest answers, seconds to start, and memory."""
    given = options(photo="", model="sface", persons=100, seconds=8.0, rounds=3)
    cores, (ours, theirs) = str(os.cpu_count()), (8_101, 8_102)
    with tempfile.TemporaryDirectory(prefix="facerec-") as name:
        file = Path(given["photo"]) if given["photo"] else a_photo(Path(name))
        gallery, known = enroll(file, given["model"], given["persons"], Path(name))
        photo = file.read_bytes()
        service = [sys.executable, "-m", "facerec.serve", f"model={given['model']}", f"gallery.url={gallery}"]
        service += [
            "limits.rate=1000000/minute",
            f"port={ours}",
            f"hydra.run.dir={name}/serve",
            "cache_dir=outputs/cache",
        ]
        other = [sys.executable, "-m", "uvicorn", "--app-dir", "benchmarks", "face_recognition_server:app"]
        other += ["--port", str(theirs), "--workers", cores, "--log-level", "warning"]
        urls = {"facerec": f"http://127.0.0.1:{ours}/api/v1/identify"}
        urls["face_recognition"] = f"http://127.0.0.1:{theirs}/identify"
        figures = []
        with (
            running(ours, *service) as (one, start),
            running(theirs, *other, KNOWN=str(known)) as (two, other_start),
        ):
            for url in urls.values():
                asyncio.run(load(url, photo, 4, 3))  # warm up
            for clients in CLIENTS:
                rates: dict[str, list[float]] = {who: [] for who in urls}
                times: dict[str, list[float]] = {who: [] for who in urls}
                for _ in range(given["rounds"]):
                    for who, url in urls.items():
                        rate, answers = asyncio.run(load(url, photo, clients, given["seconds"]))
                        rates[who].append(rate)
                        times[who] += answers
                median = {who: statistics.median(values) for who, values in rates.items()}
                slowest = {who: float(np.percentile(values, 99)) for who, values in times.items()}
                what = f"service, {given['model']}, {given['persons']} persons, clients: {clients:02d}"
                mine, late = median.pop("facerec"), slowest.pop("facerec")
                figures.append(Figure(what, "photos/s", mine, median, dict.fromkeys(median, 1.0)))
                figures.append(Figure(f"{what}: slowest of 100", "ms", late, slowest, less=True))
            what = f"service, {given['model']}: from the command until it listens"
            figures.append(Figure(what, "s", start, {"face_recognition": other_start}, limit=4, less=True))
            what = f"service, {given['model']}: memory of its processes, without PostgreSQL"
            figures.append(
                Figure(what, "MiB", memory(one), {"face_recognition": memory(two)}, limit=800, less=True)
            )
    record(figures)


if __name__ == "__main__":
    main()
