"""What a weak photo costs: error versus discard, and misses beyond each gate, on two sets of people.

    python benchmarks/enrolment_quality.py DATA MODEL

DATA holds `celeba/` (with its landmark file) and `lfw_view1/images/`. A miss is a pair of photos of one person
below the threshold that `--far` of all pairs of two people reach. The quality of a pair is that of its worse photo.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf
from tqdm import tqdm

from facerec.crops import align, read_photo
from facerec.faces import Face, crop_files
from facerec.job import CONFIG_DIR
from facerec.models import open_model
from facerec.recognition.quality import FaceQuality, measure

Vectors = NDArray[np.float32]
SIZES = (16, 20, 24, 30, 40, 50, 60, 80)  # pixels, shorter side of a box
BLURS = (0.5, 1, 1.5, 2, 3, 4)  # pixels of the crop, standard deviation of a Gaussian
DISCARDS = (0, 0.01, 0.02, 0.05, 0.1, 0.2)
GATES = {  # measure → gates to try; a photo is weak below them, and above them where it is turned
    "sharpness": (10, 15, 20, 30, 40, 60),
    "turn": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "brightness": (30, 40, 50, 60, 70, 80),
}
_DEGRADED = 300  # photos, of as many people


class Photos:
    """Faces of one data set: file, face, crop, and number of the person."""

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.faces: list[Face] = []
        self.crops: list[NDArray[np.uint8]] = []
        self.people: list[str] = []

    def add(self, file: Path, face: Face, crop: NDArray[np.uint8], person: str) -> None:
        """Add a photo."""
        self.files.append(file)
        self.faces.append(face)
        self.crops.append(crop)
        self.people.append(person)


def celeba(root: Path) -> Photos:
    """All images, aligned by the landmarks of the file; there are no boxes."""
    photos, lines = Photos(), (root / "list_landmarks_align_celeba.txt").read_text().splitlines()[2:]
    people = dict(line.split() for line in (root / "identity_CelebA.txt").read_text().splitlines())
    for line in tqdm(lines, unit="photo"):
        name, *numbers = line.split()
        landmarks, file = np.array(numbers, np.float32).reshape(5, 2), root / "img_align_celeba" / name
        face = Face(np.full(4, np.nan, np.float32), landmarks, 1)
        photos.add(file, face, align(read_photo(file), landmarks[None])[0], people[name])
    return photos


def lfw(root: Path) -> Photos:
    """The images of people who have several: the face nearest to the middle of each."""
    detector = instantiate(OmegaConf.load(CONFIG_DIR / "detector" / "retinaface.yaml"))
    files = [file for folder in sorted(root.iterdir()) for file in sorted(folder.iterdir())[:6]]
    several = {folder.name for folder in root.iterdir() if len(list(folder.iterdir())) > 1}
    files = [file for file in files if file.parent.name in several]
    photos = Photos()
    batches = crop_files(files, detector, which="all", min_size=20, min_score=0.8, batch_size=16)
    for photo in tqdm((photo for batch in batches for photo in batch), total=len(files), unit="photo"):
        if photo.accepted:
            middles = np.array([face.box.reshape(2, 2).mean(0) for face in photo.accepted])
            row = int(np.square(middles - np.array(photo.photo.shape[1::-1]) / 2).sum(1).argmin())
            photos.add(photo.file, photo.accepted[row], photo.crops[row], photo.file.parent.name)
    return photos


def measured(name: str, photos: Photos, embed: Callable[..., Vectors], far: float) -> float:
    """Print the tables of a data set; returns the threshold."""
    vectors, people = embed(np.stack(photos.crops)), np.unique(photos.people, return_inverse=True)[1]
    rows, columns = np.triu_indices(len(people), 1)
    similar, same = (vectors @ vectors.T)[rows, columns], people[rows] == people[columns]
    threshold = float(np.quantile(similar[~same], 1 - far))
    missed, rows, columns = similar[same] < threshold, rows[same], columns[same]
    print(f"\n{name}: {len(people)} photos of {people.max() + 1} people, {len(missed)} pairs of one person")
    print(f"threshold {threshold:.3f} at FAR {far:g}: {missed.mean():.4f} of them are missed\n")
    quality = FaceQuality(*np.array([measure(*pair) for pair in zip(photos.faces, photos.crops, strict=True)]).T)
    print("| discarded pairs | " + " | ".join(f"{share:.0%}" for share in DISCARDS) + " |")
    for kind in GATES:
        good = getattr(quality, kind) * (-1 if kind == "turn" else 1)
        order = np.minimum(good[rows], good[columns]).argsort()
        kept = (missed[order[round(share * len(order)) :]].mean() for share in DISCARDS)
        print(f"| {kind} | " + " | ".join(f"{value:.4f}" for value in kept) + " |")
    print("\n| gate | photos beyond it | missed with one of them | missed without |")
    for kind, gates in GATES.items():
        for gate in gates:
            values = getattr(quality, kind)
            weak = values > gate if kind == "turn" else values < gate
            pairs = weak[rows] | weak[columns]
            figures = (
                weak.mean(),
                *(missed[chosen].mean() if chosen.any() else np.nan for chosen in (pairs, ~pairs)),
            )
            print(f"| {kind} {gate:g} | " + " | ".join(f"{value:.4f}" for value in figures) + " |")
    return threshold


def degraded(photos: Photos, embed: Callable[..., Vectors], threshold: float) -> None:
    """Print the misses when one of two photos is made small, so that its face has `SIZES` pixels, or blurred."""
    vectors, people = embed(np.stack(photos.crops)), np.array(photos.people)
    firsts = np.unique(people, return_index=True)[1][:_DEGRADED].tolist()

    def shrunk(row: int, size: float) -> NDArray[np.uint8]:
        face = photos.faces[row]
        scale = min(1.0, size / face.size)
        small = cv2.resize(read_photo(photos.files[row]), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return align(np.asarray(small, np.uint8), ((face.landmarks + 0.5) * scale - 0.5)[None])[0]

    def blurred(row: int, sigma: float) -> NDArray[np.uint8]:
        return cv2.GaussianBlur(photos.crops[row].transpose(1, 2, 0), (0, 0), sigma).transpose(2, 0, 1)

    print("\n| made worse | median sharpness | missed |")
    for name, values, change in (("size", SIZES, shrunk), ("blur", BLURS, blurred)):
        for value in values:
            crops = np.stack([change(row, value) for row in firsts])
            missed: list[bool] = []
            for vector, row in zip(embed(crops), firsts, strict=True):
                others = (people == people[row]) & (np.arange(len(people)) != row)
                missed += (vectors[others] @ vector < threshold).tolist()
            sharp = np.median([measure(photos.faces[0], crop).sharpness for crop in crops])
            print(f"| {name} {value:g} | {sharp:.0f} | {np.mean(missed):.4f} of {len(missed)} |", flush=True)


def main() -> None:
    """Measure both data sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model")
    parser.add_argument("--far", type=float, default=1e-3)
    options = parser.parse_args()
    embed = open_model(options.model, "cpu").embed
    measured("CelebA", celeba(options.data / "celeba"), embed, options.far)
    photos = lfw(options.data / "lfw_view1" / "images")
    threshold = measured("LFW View 1", photos, embed, options.far)
    degraded(photos, embed, threshold)


if __name__ == "__main__":
    main()
