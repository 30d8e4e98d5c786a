"""Detected, missed and extra faces, landmark error and speed of each detector on folders of photos.

python benchmarks/detectors.py DATA WEIGHTS PREPARED [NETWORK …]
DATA holds celeba, celeba_wild, lfw_view1 and albums; PREPARED is as for crop_agreement.py.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from crop_agreement import registered_landmarks

from facerec.crops import Photo, read_photo
from facerec.faces import Detector, Face, FaceAlignmentDetector, RetinaFaceDetector, crop_faces

OPTIONS = {"smallest": 32, "min_score": 0.5, "batch_size": 8, "turns": True}
# faces in a photo, counted by eye; one in all others
COUNTS = {
    **{"kit_with_rose.jpg": 2, "obama_and_biden.jpg": 3, "two_people.jpg": 2, "multiface.jpg": 6},
    **{"bbt1.jpg": 4, "bbt2.jpg": 3, "bbt3.jpg": 5, "bbt4.jpg": 6, "bbt5.jpg": 5},
}


def detectors(weights: str, networks: list[str]) -> Iterator[tuple[str, Detector]]:
    """The default detector, and those of face-alignment with these networks."""
    yield "retinaface", RetinaFaceDetector(**OPTIONS)  # type: ignore[arg-type]
    for network in networks or ["retinaface", "yunet"]:
        yield (
            f"face_alignment {network}",
            FaceAlignmentDetector(network, "detector", weights, device="cpu", **OPTIONS),  # type: ignore[arg-type]
        )


def score(photo: Photo, faces: list[Face], expected: int) -> tuple[int, int]:
    """How many faces are missing and how many are too many."""
    return max(0, expected - len(faces)), max(0, len(faces) - expected)


def main(data: Path, weights: str, prepared: Path, networks: list[str]) -> None:
    """Print one line for each detector and folder."""
    folders = {
        "celeba_wild": sorted((data / "celeba_wild").glob("*/*.jpg")),
        "lfw_view1 (every 8th)": sorted((data / "lfw_view1" / "images").glob("*/*.jpg"))[::8],
        "albums": sorted(file for file in (data / "albums").rglob("*.*") if file.is_file()),
    }
    references = registered_landmarks(data / "celeba", prepared)
    for folder, files in folders.items():
        photos = [read_photo(file) for file in files]
        default: list[list[Face]] = []
        for name, detector in detectors(weights, networks):
            detector.find(photos[:1])
            start = time.process_time()
            kept = [
                photo.accepted
                for row in range(0, len(photos), 16)
                for photo in crop_faces(
                    files[row : row + 16],
                    photos[row : row + 16],
                    detector,
                    which="all",
                    min_size=20,
                    min_score=0.8,
                )
            ]
            seconds = time.process_time() - start
            default = default or kept
            missed, extra = np.sum(
                [score(p, f, COUNTS.get(file.name, 1)) for p, f, file in zip(photos, kept, files, strict=True)], 0
            )
            none = sum(not faces for faces in kept)
            errors = []
            for file, faces, ours in zip(files, kept, default, strict=True):
                truth = (
                    references.get(file.name) if folder == "celeba_wild" else ours[0].landmarks if ours else None
                )
                if truth is not None and faces:
                    between = np.linalg.norm(truth[1] - truth[0])
                    errors.append(
                        min(float(np.linalg.norm(f.landmarks - truth, axis=1).mean() / between) for f in faces)
                    )
            shown = ", ".join(f"{np.percentile(errors, q):.3f}" for q in (50, 90)) if errors else ""
            far = np.mean(np.array(errors) > 0.25)
            print(
                f"{folder} | {name} | photos {len(photos)} | faces {sum(map(len, kept))} | missed {missed} (photos "
                f"without {none}) | extra {extra} | error mean {np.mean(errors):.3f}, median, p90 {shown}, over "
                f"0.25 {far:.3f} (n={len(errors)}) | {len(photos) / seconds:.1f} photos per CPU second",
                flush=True,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
