"""Grouping unknown faces beside scikit-learn's DBSCAN and HDBSCAN, on faces of known people.

    python benchmarks/groups.py data=DATA models=[sface,mobilefacenet]

The data sets are CelebA's 58 test people, their uncropped photos, and LFW View 1. Vectors are kept in `cache`. Faces
that DBSCAN and HDBSCAN call noise are groups of one. Group photos are drawn: four people who lie in one photo each.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf
from tqdm import tqdm

from facerec.job import CONFIG_DIR
from facerec.models import Model
from facerec.recognition import embed_files

Vectors = NDArray[np.float32]


def labelled_photos(data: Path) -> Iterator[tuple[str, list[tuple[Path, str]]]]:
    """The data sets: their names, and photos with the person in them."""
    celeba = data / "celeba"
    people = dict(line.split() for line in (celeba / "identity_CelebA.txt").read_text().splitlines())
    splits = dict(line.split() for line in (celeba / "list_eval_partition.txt").read_text().splitlines())
    images = celeba / "img_align_celeba"
    yield "celeba", [(images / name, person) for name, person in people.items() if splits[name] == "2"]
    for name in ("celeba_wild", "lfw_view1/images"):
        yield name.partition("/")[0], [(file, file.parent.name) for file in sorted((data / name).rglob("*.jpg"))]


def embed_largest(photos: list[tuple[Path, str]], models: dict[str, Model]) -> dict[str, NDArray[np.generic]]:
    """The largest face of each photo: its vectors by each model, `float32 [N, d]`, and its person under `people`."""
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
