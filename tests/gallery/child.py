"""A child process: `child.py enroll|identify|correct FOLDER FIRST COUNT` or `backup|restore FOLDER FILE`."""

import random
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


def correct(gallery: Gallery, choose: random.Random, count: int) -> None:
    """Make and undo corrections that lose no sample, and report each with its id."""
    corrections = gallery.corrections
    for _ in range(count):
        people = [gallery.show(person.id) for person in gallery.persons()]
        (one, samples), (other, _) = choose.sample(people, 2)
        crops = [sample.crop for sample in choose.sample(samples, min(len(samples), 2))]
        action = choose.choice(["move", "split", "deny", "merge", "undo", "undo"])
        if action == "undo":
            if corrections.changes():
                report(f"undid {corrections.undo().id}")
            continue
        if action == "merge" and len(people) > 2:
            corrections.merge(one.id, other.id)
        elif action == "move" and crops:
            corrections.move(crops, other.id)
        elif action == "split" and crops:
            corrections.move(crops, one.name, new=True)
        elif action == "deny" and crops:
            corrections.deny(one.id, crops[0])
        else:
            continue
        report(f"did {corrections.changes()[0].id}")


def main(task: str, folder: str, first: int, count: int) -> None:
    with Gallery.open(folder, RECORD) as gallery:
        report("ready")
        if task == "correct":
            correct(gallery, random.Random(first), count)
            return
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
