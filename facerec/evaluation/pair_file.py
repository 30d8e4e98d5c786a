"""Pair sets as InsightFace stores them.

A `.bin` file is a pickle of two lists: encoded images, two a pair, and for each pair whether it is one person.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from facerec.crops import read_photo
from facerec.crops.contract import CROP_SIZE, Crops
from facerec.errors import DataError
from facerec.evaluation.pair_pickle import load_pair_pickle
from facerec.evaluation.pair_set import PairSet
from facerec.metrics import tenths
from facerec.runtime.files import replace_file


def read_pair_file(file: Path) -> PairSet:
    """Read a `.bin` file of aligned crops; its folds are consecutive tenths of its pairs.

    Such a file does not say who is in an image. Two images of a genuine pair are of one person, and images of the
    same bytes are one image; what that joins counts as one identity.

    Raises:
        DataError: it can't be read, is cut short or no pair set, or an image is no crop of 112×112; the message
            names the file, and the image by its number, from 0.
    """
    images, same = _content(file)
    rows: dict[bytes, int] = {}
    places = np.array([rows.setdefault(image, len(rows)) for image in images])
    first = {row: number for number, row in reversed(list(enumerate(places.tolist())))}
    crops = np.empty((len(rows), 3, CROP_SIZE, CROP_SIZE), np.uint8)
    for row, image in enumerate(tqdm(rows, f"{file.stem} images", unit="image", leave=False, delay=2)):
        crops[row] = _crop(image, f"{file}: image {first[row]}")
    left, right = places[::2], places[1::2]
    identities = _identities(left[same], right[same], len(rows))
    return PairSet(file.stem, crops, left, right, same, tenths(len(same)), identities)


def write_pair_file(file: Path, images: Sequence[bytes], pairs: Sequence[tuple[int, int, bool]]) -> None:
    """Write a `.bin` file, whole or not at all.

    Args:
        file: where to.
        images: encoded crops.
        pairs: their rows in `images`, and whether a pair is one person, in the order of the folds.
    """
    encoded = [images[row] for left, right, _ in pairs for row in (left, right)]
    # protocol 4 is the first with bytes above 4 GB, and names nothing
    replace_file(file, pickle.dumps((encoded, [bool(same) for *_, same in pairs]), protocol=4))


def _content(file: Path) -> tuple[list[bytes], NDArray[np.bool_]]:
    """Encoded images, two a pair, and `bool [P]`."""
    try:
        content = load_pair_pickle(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: can't be read ({error.strerror})") from error
    except Exception as error:  # the unpickler raises anything, down to IndexError and MemoryError
        reason = str(error) or "it is empty or cut short"
        raise DataError(f"{file}: can't be read as a pair set; {reason}") from error
    if not isinstance(content, list | tuple) or len(content) != 2 or not all(isinstance(x, list) for x in content):
        raise DataError(f"{file}: is no pair set, which holds a list of images and a list of truth values")
    images, same = content
    if not same or len(images) != 2 * len(same):
        counts = f"{len(images)} images and {len(same)} truth values"
        raise DataError(f"{file}: holds {counts}, but each pair has two images and one truth value")
    for number, image in enumerate(images):
        if not isinstance(image, bytes):
            raise DataError(f"{file}: image {number} is no encoded image but {type(image).__name__}")
    for number, value in enumerate(same):
        if not isinstance(value, int) or value not in (0, 1):
            raise DataError(f"{file}: pair {number} is called {value!r:.40}, neither True nor False")
    return images, np.array(same, dtype=bool)


def _crop(image: bytes, name: str) -> Crops:
    try:
        pixels = read_photo(image)
    except DataError as error:
        raise DataError(f"{name}{str(error).removeprefix('photo')}") from error
    height, width = pixels.shape[:2]
    if (height, width) != (CROP_SIZE, CROP_SIZE):
        raise DataError(
            f"{name} has {width}x{height} pixels; a pair set holds aligned crops of {CROP_SIZE}x{CROP_SIZE}, as "
            "`facerec pairs` writes them"
        )
    return pixels.transpose(2, 0, 1)


def _identities(left: NDArray[np.int64], right: NDArray[np.int64], images: int) -> NDArray[np.int64]:
    """Which images genuine pairs join, directly or through others: `int64 [images]`."""
    joined = coo_array((np.ones(len(left), bool), (left, right)), shape=(images, images))
    _, identities = connected_components(joined, directed=False)
    return np.asarray(identities, np.int64)
