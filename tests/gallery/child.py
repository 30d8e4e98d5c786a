"""A child process of the tests: `child.py enroll|identify FOLDER FIRST COUNT` or `backup|restore FOLDER FILE`."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facerec.gallery import Gallery, Sample
from facerec.gallery.backup import restore
from facerec.models import ModelRecord

RECORD = ModelRecord("a1" * 32, 32)
PER_PERSON = 3


def vectors(number: int) -> NDArray[np.float32]:
    """`float32 [3, 32]`, of person `number`."""
    random = np.random.default_rng(number)
    vectors = random.normal(size=32) + 0.3 * random.normal(size=(PER_PERSON, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def report(text: object) -> None:
    print(text, flush=True)


def save(task: str, folder: str, file: str) -> None:
    report("ready")
    if task == "restore":
        restore(folder, Path(file))
    else:
        with Gallery.open(folder) as gallery:
            gallery.backup(file)
    report("done")


def main(task: str, folder: str, first: int, count: int) -> None:
    with Gallery.open(folder, RECORD) as gallery:
        report("ready")
        for number in range(first, first + count):
            if task == "enroll":
                gallery.enroll(f"p{number}", [Sample(vector) for vector in vectors(number)])
                report(number)
            else:
                [answer] = gallery.identify(vectors(number % 4)[:1], threshold=0.99)
                report(answer.person.name if answer.person else None)


if __name__ == "__main__":
    if sys.argv[1] in ("backup", "restore"):
        save(*sys.argv[1:])
    else:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
