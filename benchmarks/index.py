"""How long questions to the index take, with made-up vectors.

python benchmarks/index.py faces=20000 persons=1000 dim=128
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from timing import options

from facerec.gallery import Gallery, Sample
from facerec.gallery.index_records import FileState, IndexedPhoto
from facerec.models import ModelRecord, Sigmoid, Statistics, Threshold

RECORD = ModelRecord(
    "a1" * 32, 0, Statistics(thresholds=(Threshold(1e-2, 0.32), Threshold(1e-4, 0.45)), calibration=Sigmoid(20, -6))
)


def main() -> None:
    """Enrol half of the people of the index, three samples each, and ask."""
    given = options(faces=20_000, persons=1000, dim=128, each=10)
    random = np.random.default_rng(0)
    people = given["faces"] // given["each"]
    centres = random.normal(size=(people, given["dim"]))
    vectors = np.repeat(centres, given["each"], axis=0) + 0.9 * random.normal(size=(given["faces"], given["dim"]))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    folder = Path(tempfile.mkdtemp(prefix="facerec-"))
    with Gallery.open(folder / "g", RECORD._replace(dim=given["dim"])) as gallery:
        samples = [Sample(vector, "", Sample(vector).digest(), (0, 0, 1, 1), 1) for vector in vectors]
        photos = [
            IndexedPhoto(Path(f"/{row}.jpg"), FileState(0, 0), 1, 1, [sample]) for row, sample in enumerate(samples)
        ]

        def timed(what: str, work: Callable[[], object]) -> None:
            start = time.perf_counter()
            result = work()
            seconds = time.perf_counter() - start
            print(f"{what}: {seconds:.2f} s {result if isinstance(result, str) else ''}", flush=True)

        def store() -> None:
            for start in range(0, len(photos), 8):
                gallery.index.store(photos[start : start + 8], retention=None)

        timed(f"store {len(photos)} photos, 8 at a time", store)
        for person in range(min(given["persons"], people // 2)):
            first = person * given["each"]
            gallery.enroll(f"p{person}", [Sample(vector) for vector in vectors[first : first + 3]])
        timed("photos of one person", lambda: f"{len(gallery.index.photos_of('p7'))} faces")
        timed("the same again", lambda: f"{len(gallery.index.photos_of('p7'))} faces")
        timed("a hundred questions", lambda: f"{len(gallery.index.questions(100))}")
        timed("groups of unknown faces", lambda: f"{len(gallery.index.groups())} groups")
        timed("erase one person", lambda: f"{gallery.erase('p7').samples} samples")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
