"""How well two crops of a face agree: by CelebA's own landmarks, and by `prepare` from the uncropped photo.

python benchmarks/crop_agreement.py CELEBA PREPARED [MODEL …]
PREPARED is what `python -m facerec.prepare photos=celeba_wild out=PREPARED faces.which=largest` wrote.
"""

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from facerec.crops import ARCFACE_TEMPLATE, read_photo, similarity_transform
from facerec.crops.crop_file import crop_file
from facerec.models import load

BETWEEN_EYES = float(np.linalg.norm(ARCFACE_TEMPLATE[1] - ARCFACE_TEMPLATE[0]))


def registered(fixed: NDArray[np.uint8], moving: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """The affine map `[2, 3]` from points of one crop to the same points of the other, or None if there is none."""
    grey = [cv2.cvtColor(crop.transpose(1, 2, 0), cv2.COLOR_RGB2GRAY) for crop in (fixed, moving)]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-6)
    mask = np.zeros_like(grey[0])
    mask[12:100, 12:100] = 1
    try:
        correlation, transform = cv2.findTransformECC(
            *grey, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, criteria, mask, 5
        )
    except cv2.error:
        return None
    return transform if correlation > 0.95 else None


def moved(matrix: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points `[K, 2]`, mapped by `[2, 3]`."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def describe(name: str, values: list[float]) -> None:
    """One line: mean and quantiles, as shares of the distance between the eyes."""
    share = np.array(values) / BETWEEN_EYES
    marks = ", ".join(f"{q} % below {np.percentile(share, q):.3f}" for q in (50, 90, 95, 99))
    print(f"{name}: n={len(share)}, mean {share.mean():.3f}, {marks}")


def precision_at_1(queries: NDArray[np.float32], gallery: NDArray[np.float32], people: NDArray[np.str_]) -> float:
    """How often the nearest other photo is of the same person; row i is the same photo in both."""
    similarity = queries @ gallery.T
    np.fill_diagonal(similarity, -2)
    return float((people[similarity.argmax(1)] == people).mean())


def read_official(celeba: Path) -> dict[str, NDArray[np.float32]]:
    """File name → landmarks `[5, 2]` in CelebA's aligned image."""
    lines = (celeba / "list_landmarks_align_celeba.txt").read_text().splitlines()[2:]
    return {line.split()[0]: np.array(line.split()[1:], np.float32).reshape(5, 2) for line in lines}


def read_rows(prepared: Path, official: dict[str, NDArray[np.float32]]) -> list[dict[str, Any]]:
    """The rows of the manifest that have a crop, and whose photo is in CelebA's list."""
    rows = pq.read_table(prepared / "manifest").to_pylist()
    return [row for row in rows if row["crop"] and Path(row["source"]).name in official]


def crop_transform(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The map `[2, 3]` from an image with these landmarks to its crop."""
    return similarity_transform(points)


def registered_landmarks(celeba: Path, prepared: Path) -> dict[str, NDArray[np.float32]]:
    """File name → CelebA's landmarks in the uncropped photo, by registering the two crops."""
    official = read_official(celeba)
    landmarks = {}
    for row in read_rows(prepared, official):
        name = Path(row["source"]).name
        aligned = crop_file(celeba / "img_align_celeba" / name, official[name])
        transform = registered(aligned, read_photo(prepared / "crops" / row["crop"]).transpose(2, 0, 1))
        if transform is not None:
            in_crop = moved(transform, moved(crop_transform(official[name]), official[name]))
            to_crop = crop_transform(np.array(row["landmarks"], np.float32).reshape(5, 2))
            landmarks[name] = moved(cv2.invertAffineTransform(to_crop), in_crop)
    return landmarks


def main(celeba: Path, prepared: Path, models: list[str]) -> None:
    """Print how far apart the two crops of a photo are, and how much that matters to each model."""
    official = read_official(celeba)
    rows = read_rows(prepared, official)
    names = [Path(row["source"]).name for row in rows]
    aligned = np.stack([crop_file(celeba / "img_align_celeba" / name, official[name]) for name in names])
    wild = np.stack([read_photo(prepared / "crops" / row["crop"]).transpose(2, 0, 1) for row in rows])
    template = ARCFACE_TEMPLATE
    apart, landmarks = [], []
    for row, name, first, second in zip(rows, names, aligned, wild, strict=True):
        transform = registered(first, second)
        if transform is None:
            print("not registered:", row["source"])
            continue
        apart.append(float(np.linalg.norm(moved(transform, template) - template, axis=1).mean()))
        detected = np.array(row["landmarks"], np.float32).reshape(5, 2)
        ours, theirs = (moved(crop_transform(points), points) for points in (detected, official[name]))
        landmarks.append(float(np.linalg.norm(moved(transform, theirs) - ours, axis=1).mean()))
    describe("template points", apart)
    describe("landmarks", landmarks)
    people = np.array([row["person"] for row in rows])
    for model in models:
        embedder = load(model)
        a, w = embedder.embed(aligned), embedder.embed(wild)
        same = float((a * w).sum(1).mean())
        print(
            f"{model}: the two crops of a photo: mean similarity {same:.3f}; P@1 "
            + ", ".join(
                f"{name} {precision_at_1(q, g, people):.4f}"
                for name, q, g in (
                    ("aligned in aligned", a, a),
                    ("wild in wild", w, w),
                    ("wild in aligned", w, a),
                    ("aligned in wild", a, w),
                )
            )
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
