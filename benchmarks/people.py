"""Identification rates on a folder of people, with `enroll` and `identify` as a user runs them.

    python benchmarks/people.py FOLDER_OF_PEOPLE MODEL --enrol 3 --strangers 29

In each of `--draws` draws, `--strangers` random people stay strangers, and `--enrol` photos of everybody else are
enrolled. Probes are their other photos, and all photos of the strangers. MODEL is an evaluated model: a folder, or
the contract of an ONNX file.
"""

import argparse
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf
from tqdm import tqdm

from facerec.crops import list_photos
from facerec.gallery import Answer, Gallery, Sample
from facerec.job import CONFIG_DIR
from facerec.models import open_model
from facerec.recognition import embed_files

Vectors = NDArray[np.float32]


def embed_people(root: Path, model: str, detector: str) -> dict[str, Vectors]:
    """Person → the largest face of each of their photos, `float32 [photos, d]`."""
    files = list_photos(root)
    photos = embed_files(
        files,
        instantiate(OmegaConf.load(CONFIG_DIR / "detector" / f"{detector}.yaml")),
        open_model(model, "auto", "outputs/cache").embed,
        min_size=20,
        min_score=0.8,
        batch_size=8,
    )
    people: dict[str, list[Vectors]] = defaultdict(list)
    without = 0
    for photo in tqdm(photos, total=len(files), unit="photo"):
        if photo.faces:
            sizes = [np.prod(face.box[2:] - face.box[:2]) for face in photo.faces]
            people[photo.file.relative_to(root).parts[0]].append(photo.vectors[np.argmax(sizes)])
        without += not photo.faces
    print(f"{len(files)} photos of {len(people)} people; no face found in {without}")
    return {name: np.stack(vectors) for name, vectors in sorted(people.items())}


def identify_all(
    gallery: Gallery, people: dict[str, Vectors], strangers: set[str], enrol: int, rule: dict[str, float | str]
) -> tuple[list[tuple[str, Answer]], list[Answer]]:
    """Enrol, then identify: names with answers of the enrolled people, and answers of the strangers."""
    gallery.erase(*(person.name for person in gallery.persons()))
    known: list[tuple[str, Answer]] = []
    for name in people.keys() - strangers:
        gallery.enroll(name, [Sample(vector) for vector in people[name][:enrol]])
    for name in people.keys() - strangers:
        if len(probes := people[name][enrol:]):
            known += [(name, answer) for answer in gallery.identify(probes, **rule)]
    unknown = [answer for name in strangers for answer in gallery.identify(people[name], **rule)]
    return known, unknown


def main() -> None:
    """Print one line for each false accept rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("model", help="as model= of any job, such as sface")
    parser.add_argument("--enrol", type=int, default=3, help="photos of a person")
    parser.add_argument("--strangers", type=int, default=29, help="people who are not enrolled")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--far", type=float, nargs="+", default=[0.01, 0.1], help="of a search")
    parser.add_argument("--detector", default="retinaface")
    options = parser.parse_args()
    people = embed_people(options.root, options.model, options.detector)
    folder = Path(tempfile.mkdtemp(prefix="facerec-"))
    with Gallery.open(folder / "g", options.model) as gallery:
        for far in options.far:
            known: list[tuple[str, Answer]] = []
            unknown: list[Answer] = []
            for draw in range(options.draws):
                chosen = np.random.default_rng(draw).choice(sorted(people), options.strangers, replace=False)
                mated, non_mated = identify_all(
                    gallery, people, set(chosen.tolist()), options.enrol, {"far": far, "per": "search"}
                )
                known, unknown = known + mated, unknown + non_mated
            first = np.mean([answer.matches[0].name == name for name, answer in known])
            right = np.mean([answer.person is not None and answer.person.name == name for name, answer in known])
            wrong = np.mean([answer.person is not None and answer.person.name != name for name, answer in known])
            false = np.mean([answer.person is not None for answer in unknown])
            print(
                f"far {far}: {len(known)} photos of enrolled people, rank-1 {first:.3f}, identified correctly "
                f"{right:.3f}, as somebody else {wrong:.3f}; {len(unknown)} of strangers, accepted {false:.3f} "
                f"(threshold {known[0][1].rule.threshold:.3f})"
            )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
