"""Slices of a test set, on which a model may be better or worse than on the whole."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facerec.data import FaceImages
from facerec.errors import DataError

_SIZES = ((2, 4), (5, 9), (10, 19), (20, 10**9))


def make_slices(
    images: FaceImages, split: str, labels: NDArray[np.int64], attributes: Path | None
) -> dict[str, NDArray[np.bool_]]:
    """Name → `bool [N]`: all slices of the N images of a split.

    Args:
        images: the data set.
        split: of it.
        labels: `int64 [N]`, of these images.
        attributes: file for slices, see `by_attribute`; None: there is none.
    """
    slices = by_images_per_identity(labels)
    if attributes:
        slices |= by_attribute(attributes, [images.files[row].name for row in images.rows(split)])
    return slices


def by_images_per_identity(labels: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Name → `bool [N]`: images of identities with 2 to 4, 5 to 9, 10 to 19, 20 or more images; none empty."""
    _, identity, counts = np.unique(labels, return_inverse=True, return_counts=True)
    per_image = counts[identity]
    slices = {}
    for low, high in _SIZES:
        name = f"{low} to {high} images" if high < 10**9 else f"{low} or more images"
        slices[name] = (low <= per_image) & (per_image <= high)
    return {name: rows for name, rows in slices.items() if rows.any()}


def by_attribute(file: Path, names: list[str]) -> dict[str, NDArray[np.bool_]]:
    """Name → `bool [N]`, from a file in the format of CelebA's `list_attr_celeba.txt`.

    The first line counts the images, the second names the attributes, and every other line is a file name with 1
    or -1 for each attribute. An attribute gives two slices, with and without it.

    Args:
        file: the attribute file.
        names: N file names, without folder.

    Raises:
        DataError: the file is missing or not of that format, or lacks images; names line or image.
    """
    try:
        _, header, *lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"attributes: {file} can't be read as an attribute file ({error})") from error
    attributes, table = header.split(), {}
    for number, line in enumerate(lines, 3):
        name, *values = line.split() or [""]
        if len(values) != len(attributes) or not set(values) <= {"1", "-1", "0"}:
            raise DataError(f"{file}, line {number}: expected a file name and {len(attributes)} values of 1 or -1")
        table[name] = values
    if missing := [name for name in names if name not in table]:
        raise DataError(f"{file}: {len(missing)} of {len(names)} images are not in it, first {missing[0]}")
    present = np.array([table[name] for name in names]) == "1"
    slices = {}
    for attribute, column in zip(attributes, present.T, strict=True):
        slices[attribute] = column
        slices[f"not {attribute}"] = ~column
    return slices
