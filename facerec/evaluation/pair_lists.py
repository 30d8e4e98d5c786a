"""Pair lists as Labeled Faces in the Wild writes them (Huang et al. 2007), and pair sets made from them."""

import logging
from collections.abc import Mapping, Sequence
from glob import escape
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from facerec.crops import is_photo
from facerec.errors import DataError
from facerec.evaluation.pair_set import PairSet
from facerec.faces import Detector, crop_files
from facerec.metrics import tenths

log = logging.getLogger(__name__)

_BATCH = 64  # photos in the detector at once


class Pair(NamedTuple):
    """Two images, each `NAME/NAME_0001` without suffix, whether they show one person, and their fold."""

    left: str
    right: str
    same: bool
    fold: int


def read_pairs(files: Sequence[Path]) -> list[Pair]:
    """All pairs of the files, in order; the folds of all files are numbered consecutively.

    The first line holds N, the pairs of each kind, or the number of folds and N (`10 300` in `pairs.txt`). Each
    fold has N lines `NAME i j`, pairs of one person, and then N lines `NAME i NAME j`, pairs of two. One file
    without folds, alone, is divided into ten, each with a consecutive tenth of both kinds.

    Raises:
        DataError: a file can't be read, is empty or not of that format; the message names file and line.
    """
    pairs: list[Pair] = []
    for file in files:
        try:
            lines = [line.split() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            raise DataError(f"{file}: can't be read as a list of pairs ({error})") from error
        header, *rows = lines or [[]]
        if not 1 <= len(header) <= 2 or not all(field.isdecimal() and int(field) for field in header):
            raise DataError(f"{file}, line 1: expected the number of pairs of each kind, or folds and that number")
        folds, count = (1, *map(int, header))[-2:]
        if len(rows) != folds * 2 * count:
            raise DataError(f"{file}: holds {len(rows)} pairs, its first line says {folds * 2 * count}")
        first = pairs[-1].fold + 1 if pairs else 0
        for number, row in enumerate(rows):
            fold, place = divmod(number, 2 * count)
            pairs.append(_pair(row, place < count, first + fold, f"{file}, line {number + 2}"))
    if pairs and pairs[-1].fold == 0:
        folds_of = [int(fold) for fold in tenths(len(pairs) // 2)] * 2
        pairs = [pair._replace(fold=fold) for pair, fold in zip(pairs, folds_of, strict=True)]
    return pairs


def find_images(pairs: Sequence[Pair], root: Path) -> tuple[dict[str, Path], list[str]]:
    """The file of each image, `ROOT/NAME/NAME_0001.jpg|png|…`, by name, and the names of the missing ones.

    Raises:
        DataError: there is no such folder, or none of the images is in it.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder {root} of images of the pair list")
    names = sorted({name for pair in pairs for name in (pair.left, pair.right)})
    images = {}
    for name in names:
        files = sorted(filter(is_photo, (root / name).parent.glob(f"{escape(Path(name).name)}.*")))
        if files:
            images[name] = files[0]
    missing = [name for name in names if name not in images]
    if not images:
        raise DataError(
            f"{root}: none of the {len(names)} images of the pair list is there, first {missing[0]}.jpg"
        )
    return images, missing


def crop_pairs(name: str, pairs: Sequence[Pair], root: Path, detector: Detector) -> PairSet:
    """Find and crop the most central face of each image.

    Args:
        name: of the pair set.
        pairs: as `read_pairs` gives them.
        root: the folder of their images, see `find_images`.
        detector: finds the faces.

    Raises:
        DataError: as `find_images`; an image can't be read; or no genuine or no impostor pair has both faces.
    """
    images, missing = find_images(pairs, root)
    names, crops, faceless = _crop_images(images, detector, root)
    for problem, listed in (("are missing", missing), ("show no face", faceless)):
        if listed:
            log.warning("%s: %d images %s: %s", name, len(listed), problem, ", ".join(listed[:10]))
    rows = {image: row for row, image in enumerate(names)}
    left, right, same, fold = pair_columns(pairs, rows)
    people = np.unique([image.rpartition("/")[0] for image in names], return_inverse=True)[1]
    return PairSet(name, crops, left, right, same, fold, people, missing, faceless)


def pair_columns(
    pairs: Sequence[Pair], rows: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Left and right row, `same` and `fold`, each `[P]`, of the pairs whose images both have a row.

    Raises:
        DataError: there is no such pair.
    """
    kept = [pair for pair in pairs if pair.left in rows and pair.right in rows]
    if not kept:
        raise DataError(f"pairs: none of the {len(pairs)} pairs has both images")
    left = np.array([rows[pair.left] for pair in kept])
    right = np.array([rows[pair.right] for pair in kept])
    return left, right, np.array([pair.same for pair in kept]), np.array([pair.fold for pair in kept])


def _pair(row: list[str], same: bool, fold: int, place: str) -> Pair:
    if same and len(row) == 3:
        row = [*row[:2], row[0], row[2]]
    elif same or len(row) != 4:
        wanted = "NAME i j" if same else "NAME i NAME j"
        raise DataError(f"{place}: expected `{wanted}`, a pair of {'one person' if same else 'two'}")
    if not row[1].isdecimal() or not row[3].isdecimal():
        raise DataError(f"{place}: {' '.join(row)} does not number its images")
    if any("/" in name or name.startswith(".") for name in row[::2]):
        raise DataError(f"{place}: a name can't hold a slash or start with a dot")
    left, right = (f"{name}/{name}_{int(number):04d}" for name, number in (row[:2], row[2:]))
    return Pair(left, right, same, fold)


def _crop_images(
    images: Mapping[str, Path], detector: Detector, root: Path
) -> tuple[list[str], NDArray[np.uint8], list[str]]:
    """Names and crops of the images with a face, the most central one, and the names of those without.

    Raises:
        DataError: an image can't be read, or none has a face.
    """
    files = list(images.values())
    batches = crop_files(files, detector, which="most_central", min_size=0, min_score=0, batch_size=_BATCH)
    photos = tqdm(chain.from_iterable(batches), "faces", len(files), unit="photo")
    with_face, crops, faceless = [], [], []
    for name, photo in zip(images, photos, strict=True):
        if photo.problem:
            raise DataError(f"{photo.file}: {photo.problem}")
        if len(photo.crops):
            with_face.append(name)
            crops.append(photo.crops)
        else:
            faceless.append(name)
    if not crops:
        raise DataError(f"{root}: no face was found in any of {len(files)} images")
    return with_face, np.concatenate(crops), faceless
