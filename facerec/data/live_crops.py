"""Crops that are decoded whenever they are read, for data sets whose crop cache would fill the disk."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import Crops, IndexedCrops
from facerec.crops.crop_file import crop_file
from facerec.data.images import FaceImages
from facerec.errors import DataError


class DatasetCrops(IndexedCrops, Protocol):
    """The crops of a data set's table: a memory-mapped crop cache, or what reads like one."""

    @property
    def filename(self) -> Path | str | None:
        """Of the cache."""


class LiveCrops:
    """Reads like the array of a crop cache.

    Args:
        images: the data set.
        filename: of the cache that would hold the crops: what is found of them is kept beside it, and serves both.
    """

    def __init__(self, images: FaceImages, filename: Path) -> None:
        self._images, self._filename = images, filename

    @property
    def filename(self) -> Path:
        """Of the cache."""
        return self._filename

    def __getitem__(self, rows: NDArray[np.int64]) -> Crops:
        """The crops of these rows, `int64 [N]`.

        Raises:
            DataError: an image is missing or can't be decoded.
        """
        try:
            return np.stack([decoded(self._images, row) for row in rows.tolist()])
        except OSError as error:
            raise DataError(f"dataset {self._images.name}: reading images failed ({error})") from error


def decoded(images: FaceImages, row: int) -> NDArray[np.uint8]:
    """The crop of a row: `uint8 [3, 112, 112]`.

    Raises:
        DataError: the image is missing or can't be decoded.
        OSError: the file that it lies in with others can't be read.
    """
    landmarks = None if images.landmarks is None else images.landmarks[row]
    if not images.packed:
        return crop_file(images.files[row], landmarks)
    content = images.packed.read(row)
    try:
        return crop_file(content, landmarks)
    except DataError as error:
        raise DataError(f"{images.files[row]}: {str(error).removeprefix('photo: ')}") from error
