"""Speed of the gallery, and how often binary codes find the person that a full scan finds; beside flat faiss.

    python benchmarks/gallery.py --samples 10000 100000

The vectors are synthetic: `--per-person` samples of a person lie around a random direction, with a mean cosine of
`--cosine` between them. Directions without any structure are the hardest case for an index.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID, uuid4

import faiss
import numpy as np
from numpy.typing import NDArray
from pgvector import Vector

from facerec.gallery import Gallery, Sample
from facerec.gallery.binary_codes import binary_code
from facerec.gallery.nearest import nearest_persons
from facerec.models import ModelRecord

Vectors = NDArray[np.float32]


def unit(vectors: NDArray[np.floating]) -> Vectors:
    """The vectors, scaled to length 1."""
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def around(centres: Vectors, cosine: float, random: np.random.Generator) -> Vectors:
    """One sample for each centre; two of the same centre have this mean cosine."""
    noise = random.standard_normal(centres.shape, np.float32) / np.sqrt(centres.shape[1])
    return unit(centres + noise * np.sqrt(1 / cosine - 1))


def fill(gallery: Gallery, vectors: Vectors, per_person: int) -> list[UUID]:
    """Store everything as `enroll` would, but in bulk; returns the persons."""
    persons = [uuid4() for _ in range(len(vectors) // per_person)]
    means = vectors.reshape(len(persons), per_person, -1).mean(axis=1)

    def work(connection):  # type: ignore[no-untyped-def]
        rows = {
            "person (id, name)": (["uuid", "text"], ((person, f"p{row}") for row, person in enumerate(persons))),
            "sample (person_id, crop, vector, source)": (
                ["uuid", "bytea", "vector", "text"],
                (
                    (persons[row // per_person], row.to_bytes(32, "big"), Vector(vector), "")
                    for row, vector in enumerate(vectors)
                ),
            ),
            "centroid (person_id, code)": (
                ["uuid", "bit"],
                ((person, binary_code(mean)) for person, mean in zip(persons, means, strict=True)),
            ),
        }
        for table, (types, values) in rows.items():
            with connection.cursor().copy(f"COPY {table} FROM STDIN WITH (FORMAT BINARY)") as copy:
                copy.set_types(types)
                for value in values:
                    copy.write_row(value)

    gallery._database.run(work)
    gallery._database.run_outside_transaction("VACUUM ANALYZE")
    return persons


def timed(search: Callable[[Vectors], UUID], probes: Vectors) -> tuple[list[UUID], str]:
    """The answers, and milliseconds, p50 / p99."""
    for probe in probes[:10]:
        search(probe)
    answers, seconds = [], []
    for probe in probes:
        start = time.perf_counter()
        answers.append(search(probe))
        seconds.append(time.perf_counter() - start)
    return answers, "{:.1f} / {:.1f}".format(*np.percentile(np.array(seconds) * 1000, [50, 99]))


def measure(samples: int, per_person: int, dim: int, cosine: float, folder: Path) -> list[str]:
    """One row of the table."""
    random = np.random.default_rng(0)
    centres = unit(random.standard_normal((samples // per_person, dim), np.float32))
    vectors = around(np.repeat(centres, per_person, axis=0), cosine, random)
    probes = around(centres[random.integers(0, len(centres), 1000)], cosine, random)
    cells = [f"{samples:,} / {len(centres):,}"]
    with Gallery.open(folder, ModelRecord("0" * 64, dim)) as gallery:
        persons = fill(gallery, vectors, per_person)

        def search(vector: Vectors, exact: bool) -> UUID:
            return gallery._database.run(lambda connection: nearest_persons(connection, vector, 1, exact=exact))[0][
                0
            ]

        flat = faiss.IndexFlatIP(dim)
        flat.add(vectors)
        truth, peer = timed(lambda probe: persons[int(flat.search(probe[None], 1)[1][0, 0]) // per_person], probes)
        exact, scan = timed(lambda probe: search(probe, True), probes[:200])
        coded, codes = timed(lambda probe: search(probe, False), probes)
        assert exact == truth[:200]
        seconds = []
        for row in range(50):
            batch = [
                Sample(vector) for vector in around(np.repeat(centres[row : row + 1], 10, axis=0), cosine, random)
            ]
            start = time.perf_counter()
            gallery.enroll(f"new{row}", batch)
            seconds.append(time.perf_counter() - start)
        same = np.mean([person == expected for person, expected in zip(coded, truth, strict=True)])
        enrol = "{:.1f} / {:.1f}".format(*np.percentile(np.array(seconds) * 1000, [50, 99]))
        cells += [scan, codes, f"{same:.2%}", enrol, f"{500 / sum(seconds):.0f}", peer]
    return cells


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--per-person", type=int, default=10)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--cosine", type=float, default=0.5)
    options = parser.parse_args(arguments)
    faiss.omp_set_num_threads(1)
    columns = ["samples / persons", "scan", "codes", "same on top", "enrol ten", "samples/s", "faiss flat"]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds, p50 / p99; {options}")
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    for samples in options.samples:
        folder = Path(tempfile.mkdtemp(prefix="facerec-"))
        try:
            cells = measure(samples, options.per_person, options.dim, options.cosine, folder / "g")
            print("| " + " | ".join(cells) + " |", flush=True)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
