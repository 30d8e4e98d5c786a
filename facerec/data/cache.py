"""Decoded crops in one memory-mapped file, written once for a list of files and a crop contract."""

import logging
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from facerec.crops.align import ALIGNER_VERSION
from facerec.crops.contract import CROP_SIZE
from facerec.crops.crop_file import crop_file
from facerec.data.fingerprint import crops_fingerprint, listed
from facerec.data.images import FaceImages
from facerec.errors import DataError

log = logging.getLogger(__name__)

MappedCrops = np.memmap[tuple[int, ...], np.dtype[np.uint8]]
_SHAPE = (3, CROP_SIZE, CROP_SIZE)
_BATCH = 64

_Batch = tuple[NDArray[np.uint8], list[str]]
"""Crops, and the errors of those that can not be decoded."""


def open_crops(images: FaceImages, folder: Path, num_workers: int) -> MappedCrops:
    """Map the crops of all images into memory, read-only, after decoding them if no cache exists.

    Args:
        images: the data set.
        folder: of the caches; made if missing.
        num_workers: processes that decode; 0: this one.

    Returns:
        `uint8 [N, 3, 112, 112]` backed by the file `crops-FINGERPRINT-ALIGNER.npy`.

    Raises:
        DataError: files are missing or can't be decoded (all are counted, the first ones named), or the disk is
            full. No half-written cache is left behind.
    """
    path = folder / f"crops-{crops_fingerprint(images, folder)}-{ALIGNER_VERSION}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # a second run waits here, then finds the file
        if not path.exists():
            _write(images, path, num_workers)
    crops: MappedCrops = np.load(path, mmap_mode="r")
    return crops


def _write(images: FaceImages, path: Path, num_workers: int) -> None:
    partial = path.with_suffix(".part")
    count = len(images.files)
    log.info("decoding %d images into %s (%.2f GB, once)", count, path, count * np.prod(_SHAPE) / 1e9)
    try:
        with partial.open("wb") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": (count, *_SHAPE)}
            np.lib.format.write_array_header_1_0(stream, header)
            # reserve the space, so that a full disk fails now and not in the middle
            if hasattr(os, "posix_fallocate"):  # not on macOS
                os.posix_fallocate(stream.fileno(), 0, stream.tell() + count * int(np.prod(_SHAPE)))
            damaged: list[str] = []
            for crops, errors in tqdm(_decoded(images, num_workers), "decode", -(-count // _BATCH), unit="batch"):
                stream.write(crops.tobytes())
                damaged += errors
            stream.flush()
            os.fsync(stream.fileno())  # a power cut could leave a file of full size without crops
        if damaged:
            raise DataError(f"dataset {images.name}: {listed(damaged, 'files can not be decoded')}")
        partial.replace(path)
    except OSError as error:
        raise DataError(
            f"{path.parent}: writing {count * np.prod(_SHAPE) / 1e9:.2f} GB of crops failed ({error.strerror}); "
            "free space there or set data.cache_dir to another disk"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


class _Decoder(Dataset[_Batch]):
    def __init__(self, images: FaceImages) -> None:
        self.images = images

    def __getitems__(self, rows: list[int]) -> _Batch:
        crops, errors = np.zeros((len(rows), *_SHAPE), np.uint8), []
        for position, row in enumerate(rows):
            landmarks = None if self.images.landmarks is None else self.images.landmarks[row]
            try:
                crops[position] = crop_file(self.images.files[row], landmarks)
            except DataError as error:
                errors.append(str(error))
        return crops, errors

    def __getitem__(self, row: int) -> _Batch:
        return self.__getitems__([row])

    def __len__(self) -> int:
        return len(self.images.files)


def as_is(batch: Any) -> Any:
    """Collate nothing: the data set returns whole batches."""
    return batch


def start_method(num_workers: int) -> str | None:
    """How a DataLoader starts its processes: as Python does, unless this is a worker of joblib.

    Args:
        num_workers: of the DataLoader; without any it must not be told.
    """
    known = multiprocessing.get_all_start_methods()
    return None if not num_workers or multiprocessing.get_start_method() in known else known[0]


def _decoded(images: FaceImages, num_workers: int) -> Iterator[_Batch]:
    yield from DataLoader(
        _Decoder(images),
        _BATCH,
        num_workers=num_workers,
        collate_fn=as_is,
        multiprocessing_context=start_method(num_workers),
    )
