"""Wrong names in group photos: each face decided alone, and all faces of a photo together.

    python benchmarks/photo_names.py DATA sface mobilefacenet

Groups are drawn from half of the people of `search_rates.py`, thresholds are of the other half: `--persons` are
enrolled with three images each, and a group has five faces of different people, two of them strangers. In a
collage, a sixth is another image of one who is enrolled. The albums are real photos, decided with the model's own
thresholds.
"""

import argparse
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
from album_people import read_albums
from album_systems import Face, Facerec
from albums import judge
from numpy.typing import NDArray
from search_rates import People, embed_people, halve, measure, without_doubles

from facerec.gallery import Answer
from facerec.gallery.decision import answer, comparisons, decide
from facerec.models import Statistics
from facerec.recognition import assign

ENROLLED, GROUPS, KNOWN, STRANGERS = 3, 500, 3, 2
Decide = Callable[[Sequence[Answer]], list[str | None]]


def alone(answers: Sequence[Answer]) -> list[str | None]:
    """Each face is the nearest person, if near enough."""
    return [one.person and one.person.name for one in answers]


def together(answers: Sequence[Answer]) -> list[str | None]:
    """As `facerec identify` decides."""
    return [named.person and named.person.name for named in assign(answers)]


def draw_groups(
    people: People, persons: int, collage: bool, seed: int
) -> tuple[NDArray[np.float32], list[str], list[tuple[NDArray[np.float32], list[str | None]]]]:
    """Enrolled vectors `[persons, 3, d]` and their names; groups, with the names of those who are enrolled."""
    random = np.random.default_rng(seed)
    names, labels = np.unique(people.names, return_inverse=True)
    rows = {label: random.permutation(np.flatnonzero(labels == label)) for label in range(len(names))}
    fit = [label for label, mine in rows.items() if len(mine) >= ENROLLED + 2]
    enrolled = random.choice(fit, persons, replace=False)
    others = np.setdiff1d(np.arange(len(names)), enrolled)
    groups = []
    for _ in range(GROUPS):
        known = random.choice(enrolled, KNOWN, replace=False)
        images = [random.choice(rows[label][ENROLLED:]) for label in known]
        if collage:
            known, left = np.append(known, known[0]), np.setdiff1d(rows[known[0]][ENROLLED:], images)
            images.append(random.choice(left))
        strangers = random.choice(others, STRANGERS, replace=False)
        images += [random.choice(rows[label]) for label in strangers]
        groups.append((people.vectors[images], [*names[known].tolist(), *[None] * STRANGERS]))
    vectors = np.stack([people.vectors[rows[label][:ENROLLED]] for label in enrolled])
    return vectors, names[enrolled].tolist(), groups


def search(
    vectors: NDArray[np.float32], names: list[str], faces: NDArray[np.float32], statistics: Statistics, far: float
) -> list[Answer]:
    """As the gallery answers."""
    worth = comparisons(statistics, {ENROLLED: len(names)})
    rule = decide(statistics, len(names), comparisons=worth, far=far)
    similarity = np.einsum("pkd,fd->fpk", vectors, faces).max(2)
    nearest = np.argsort(-similarity, axis=1)[:, : len(faces)]
    return [
        answer(
            [(UUID(int=person), names[person], float(row[person]), False) for person in order.tolist()],
            rule,
            statistics,
        )
        for row, order in zip(similarity, nearest, strict=True)
    ]


def count(truths: Sequence[str | None], said: Sequence[str | None]) -> Counter[str]:
    """What became of the faces of a photo."""
    outcomes = Counter[str]()
    for truth, name in zip(truths, said, strict=True):
        kind = "unknown" if name is None else "right" if name == truth else "wrong"
        outcomes[kind if truth else f"stranger {kind}"] += 1
    return outcomes


def report(title: str, outcomes: dict[str, Counter[str]]) -> None:
    """A line for each way to decide."""
    for way, counted in outcomes.items():
        cells = [str(counted[kind]) for kind in ("right", "wrong", "unknown", "stranger unknown", "stranger wrong")]
        print(f"| {title} | {way} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--persons", type=int, default=100)
    parser.add_argument("--far", type=float, nargs="+", default=[0.01, 0.1])
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    ways: dict[str, Decide] = {"alone": alone, "together": together}
    print("| photos | decided | right | wrong | unknown | strangers unknown | strangers named |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for model in options.models:
        measured, drawn = halve(without_doubles(embed_people(options.data, model)))
        statistics = measure(measured)
        for kind in ("groups", "collages"):
            vectors, names, groups = draw_groups(drawn, options.persons, kind == "collages", 0)
            for far in options.far:
                outcomes = {way: Counter[str]() for way in ways}
                for faces, truths in groups:
                    answers = search(vectors, names, faces, statistics, far)
                    for way, decided in ways.items():
                        outcomes[way] += count(truths, decided(answers))
                report(f"{model}, {kind}, far {far}", outcomes)
        for title, album in read_albums(options.data):
            if title == "celeba_wild":  # one face a photo
                continue
            with tempfile.TemporaryDirectory(prefix="facerec-") as folder:
                system = Facerec(model, Path(folder) / "gallery")
                for person, files in album.enroll.items():
                    for file in files:
                        system.enroll(person, file)
                photos = {file: system.search(file) for file in album.photos}
                for far in options.far:
                    outcomes = {way: Counter[str]() for way in ways}
                    for file, (boxes, vectors_of) in photos.items():
                        answers = system.gallery.identify(vectors_of, top=len(boxes), far=far) if boxes else []
                        for way, decided in ways.items():
                            faces_of = [Face(*pair) for pair in zip(boxes, decided(answers), strict=True)]
                            outcomes[way].update(
                                {"stranger named": "stranger wrong", "missed": "unknown"}.get(kind, kind)
                                for kind, _ in judge(album.photos[file], faces_of)
                            )
                    report(f"{model}, album {title}, far {far}", outcomes)
                system.gallery.close()


if __name__ == "__main__":
    main()
