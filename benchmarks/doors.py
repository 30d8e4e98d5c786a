"""The same face from both doors: crops by CelebA's landmarks against crops of `prepare` from the uncropped photos.

python benchmarks/doors.py CELEBA PREPARED [MODEL …]
PREPARED is what `python -m facerec.prepare photos=celeba_wild out=PREPARED faces.which=largest` wrote.
"""

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from facerec.crops import ARCFACE_TEMPLATE, read_photo, similarity_transform
from facerec.crops.crop_file import crop_file
from facerec.models import load

BETWEEN_EYES = float((ARCFACE_TEMPLATE[1] - ARCFACE_TEMPLATE[0]).norm())


def registered(fixed: NDArray[np.uint8], moving: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """The affine map `[2, 3]` from pixels of one crop to the same points in the other, or None if not found."""
    grey = [cv2.cvtColor(crop.transpose(1, 2, 0), cv2.COLOR_RGB2GRAY) for crop in (fixed, moving)]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-6)
    mask = np.zeros_like(grey[0])
    mask[12:100, 12:100] = 1
    try:
        likeness, found = cv2.findTransformECC(
            *grey, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, criteria, mask, 5
        )
    except cv2.error:
        return None
    return found if likeness > 0.95 else None


def moved(matrix: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points `[K, 2]` through a `[2, 3]` map."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def describe(name: str, values: list[float]) -> None:
    """One line: mean and quantiles, as shares of the distance between the eyes."""
    share = np.array(values) / BETWEEN_EYES
    marks = ", ".join(f"{q} % below {np.percentile(share, q):.3f}" for q in (50, 90, 95, 99))
    print(f"{name}: n={len(share)}, mean {share.mean():.3f}, {marks}")


def precision_at_1(queries: torch.Tensor, gallery: torch.Tensor, people: NDArray[np.str_]) -> float:
    """How often the nearest of the others is the same person; row i is the same photo in both."""
    similarity = queries @ gallery.T
    similarity.fill_diagonal_(-2)
    return float((people[similarity.argmax(1).numpy()] == people).mean())


def read_official(celeba: Path) -> dict[str, NDArray[np.float32]]:
    """File name → landmarks `[5, 2]` in CelebA's aligned image."""
    lines = (celeba / "list_landmarks_align_celeba.txt").read_text().splitlines()[2:]
    return {line.split()[0]: np.array(line.split()[1:], np.float32).reshape(5, 2) for line in lines}


def read_rows(prepared: Path, official: dict[str, NDArray[np.float32]]) -> list[dict[str, Any]]:
    """The rows of the manifest that have a crop and a place in CelebA's list."""
    rows = pq.read_table(prepared / "manifest").to_pylist()
    return [row for row in rows if row["crop"] and Path(row["source"]).name in official]


def matrix(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The map `[2, 3]` from a picture with these landmarks to its crop."""
    return similarity_transform(torch.from_numpy(points)[None])[0].numpy()


def registered_landmarks(celeba: Path, prepared: Path) -> dict[str, NDArray[np.float32]]:
    """File name → CelebA's landmarks carried over to the uncropped photo, by registering the crops' pixels."""
    official = read_official(celeba)
    carried = {}
    for row in read_rows(prepared, official):
        name = Path(row["source"]).name
        one = crop_file(celeba / "img_align_celeba" / name, official[name]).numpy()
        found = registered(one, read_photo(prepared / "crops" / row["crop"]).numpy())
        if found is not None:
            in_crop = moved(found, moved(matrix(official[name]), official[name]))
            there = matrix(np.array(row["landmarks"], np.float32).reshape(5, 2))
            carried[name] = moved(cv2.invertAffineTransform(there), in_crop)
    return carried


def main(celeba: Path, prepared: Path, models: list[str]) -> None:
    """Print how far apart the two crops of a photo are, and what that does to each model."""
    official = read_official(celeba)
    rows = read_rows(prepared, official)
    names = [Path(row["source"]).name for row in rows]
    aligned = torch.stack([crop_file(celeba / "img_align_celeba" / name, official[name]) for name in names])
    wild = torch.stack([read_photo(prepared / "crops" / row["crop"]) for row in rows])
    template = ARCFACE_TEMPLATE.numpy()
    apart, landmarks = [], []
    for row, name, one, other in zip(rows, names, aligned.numpy(), wild.numpy(), strict=True):
        found = registered(one, other)
        if found is None:
            print("not registered:", row["source"])
            continue
        apart.append(float(np.linalg.norm(moved(found, template) - template, axis=1).mean()))
        there = np.array(row["landmarks"], np.float32).reshape(5, 2)
        mine, theirs = (moved(matrix(points), points) for points in (there, official[name]))
        landmarks.append(float(np.linalg.norm(moved(found, theirs) - mine, axis=1).mean()))
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
