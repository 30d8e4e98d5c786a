"""Grouping unknown faces beside scikit-learn's DBSCAN and HDBSCAN, on faces of known people.

    python benchmarks/groups.py data=DATA models=sface,mobilefacenet

The data sets are CelebA's 58 test people, their uncropped photos, and LFW View 1, the largest face of each photo;
vectors are kept in `cache`. DBSCAN runs with the settings of Immich (cosine distance 0.5, 3 faces), of PhotoPrism
(Euclidean 0.64, 4 faces), and with those of scikit-learn (Euclidean 0.5, 5 faces), as in PyImageSearch's "Face
clustering with Python". What it or HDBSCAN calls noise is a group of one. Ours is measured with fixed rates too,
and "in fours", with images drawn into photos of four people each, whose faces are never together.
"""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.metrics import homogeneity_score
from timing import options
from tqdm import tqdm

from facerec.gallery.decision import Per, decide
from facerec.gallery.grouping import group_faces
from facerec.gallery.photo_index import GROUP_FAR
from facerec.job import CONFIG_DIR
from facerec.metrics import b_cubed, pairwise_agreement
from facerec.models import Model, open_model
from facerec.recognition import embed_files

Vectors = NDArray[np.float32]
Labels = NDArray[np.generic]
FARS = (1e-2, 1e-3, 1e-4)  # of one comparison
HEADER = [
    "data",
    "model",
    "method",
    "groups",
    "pairwise F1",
    "B-cubed precision",
    "recall",
    "F1",
    "homogeneity",
    "seconds",
]


def labelled_photos(data: Path) -> Iterator[tuple[str, list[tuple[Path, str]]]]:
    """The data sets: their names, and photos with the person in them."""
    celeba = data / "celeba"
    people = dict(line.split() for line in (celeba / "identity_CelebA.txt").read_text().splitlines())
    splits = dict(line.split() for line in (celeba / "list_eval_partition.txt").read_text().splitlines())
    images = celeba / "img_align_celeba"
    yield "celeba", [(images / name, person) for name, person in people.items() if splits[name] == "2"]
    for name in ("celeba_wild", "lfw_view1/images"):
        yield name.partition("/")[0], [(file, file.parent.name) for file in sorted((data / name).rglob("*.jpg"))]


def embed_largest(photos: list[tuple[Path, str]], models: dict[str, Model]) -> dict[str, Labels]:
    """The largest face of each photo: `people`, `[N]`, and by each model the vectors, `float32 [N, d]`."""
    detector = instantiate(OmegaConf.load(CONFIG_DIR / "detector" / "retinaface.yaml"))
    first, *others = models
    files = [file for file, _ in photos]
    read = embed_files(files, detector, models[first].embed, min_size=20, min_score=0.8, batch_size=8)
    vectors: dict[str, list[Vectors]] = {name: [] for name in models}
    people = []
    for photo, (_, person) in zip(tqdm(read, total=len(files), unit="photo"), photos, strict=True):
        if photo.faces:
            row = int(np.argmax([face.size for face in photo.faces]))
            people.append(person)
            vectors[first].append(photo.vectors[row])
            for name in others:
                vectors[name].append(models[name].embed(photo.crops[row : row + 1])[0])
    return {"people": np.array(people), **{name: np.stack(rows) for name, rows in vectors.items()}}


def contenders(model: Model, people: Labels) -> dict[str, Callable[[Vectors], NDArray[np.integer]]]:
    """Method → what groups the vectors of these people."""

    def ours(photos: NDArray[np.integer], far: float, per: Per) -> Callable[[Vectors], NDArray[np.integer]]:
        threshold = decide(model.record.statistics, len(people), far=far, per=per).threshold
        return partial(group_faces, photos=photos, threshold=threshold)

    alone = np.arange(len(people))

    return {
        "facerec": ours(alone, GROUP_FAR, "search"),
        "facerec, in fours": ours(draw_photos(people), GROUP_FAR, "search"),
        **{f"average linkage, FAR {far:g}": ours(alone, far, "pair") for far in FARS},
        "HDBSCAN, 2 faces": HDBSCAN(min_cluster_size=2, copy=True).fit_predict,
        "HDBSCAN, scikit-learn's": HDBSCAN(copy=True).fit_predict,
        "DBSCAN, Immich's": DBSCAN(eps=0.5, min_samples=3, metric="cosine").fit_predict,
        "DBSCAN, PhotoPrism's": DBSCAN(eps=0.64, min_samples=4).fit_predict,
        "DBSCAN, scikit-learn's": DBSCAN().fit_predict,
    }


def row(data: str, model: str, method: str, people: Labels, group: Callable[[], NDArray[np.integer]]) -> str:
    """A line of the table."""
    start = time.perf_counter()
    groups = group()
    seconds = time.perf_counter() - start
    noise = groups < 0
    groups = np.where(noise, groups.max() + np.cumsum(noise), groups)
    pairs, cubed = pairwise_agreement(people, groups), b_cubed(people, groups)
    values = [pairs.f1, cubed.precision, cubed.recall, cubed.f1, homogeneity_score(people, groups)]
    figures = " | ".join(f"{value:.3f}" for value in values)
    return f"| {data} | {model} | {method} | {len(np.unique(groups))} | {figures} | {seconds:.1f} |"


def draw_photos(people: Labels, size: int = 4) -> NDArray[np.intp]:
    """Photo of each face, `size` faces of different people in each, as long as there are so many left."""
    order = np.random.default_rng(0).permutation(len(people))
    photos, waiting = np.empty(len(people), np.intp), [list[int]() for _ in range(len(people))]
    first = 0
    for face in order.tolist():
        fitting = first
        while len(waiting[fitting]) == size or people[face] in people[waiting[fitting]]:
            fitting += 1
        waiting[fitting].append(face)
        photos[face] = fitting
        while len(waiting[first]) == size:
            first += 1
    return photos


def main() -> None:
    """Print the table."""
    given = options(
        data=os.environ.get("FACEREC_DATA", "../shared/data"),
        models="sface,mobilefacenet",
        cache="outputs/cache",
    )
    models = {name: open_model(name, "cpu", given["cache"]) for name in given["models"].split(",")}
    embedded: dict[str, dict[str, Labels]] = {}
    for name, photos in labelled_photos(Path(given["data"])):
        file = Path(given["cache"]) / "groups" / f"{name}-{'-'.join(models)}.npz"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, **embed_largest(photos, models))
        embedded[name] = dict(np.load(file))
        people = embedded[name]["people"]
        print(f"{name}: {len(people)} of {len(photos)} photos have a face, of {len(np.unique(people))} people")
    print("", f"| {' | '.join(HEADER)} |", "| --- " * len(HEADER) + "|", sep="\n")
    for data, vectors in embedded.items():
        for name, model in models.items():
            for method, group in contenders(model, vectors["people"]).items():
                print(row(data, name, method, vectors["people"], partial(group, vectors[name])), flush=True)


if __name__ == "__main__":
    main()
