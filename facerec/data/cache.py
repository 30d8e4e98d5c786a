"""Decoded crops in one memory-mapped file, written once for a list of files and a crop contract."""

import json
import logging
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from facerec.crops.align import ALIGNER_VERSION
from facerec.crops.contract import CROP_BYTES, CROP_SIZE
from facerec.data.fingerprint import crops_fingerprint, listed
from facerec.data.images import FaceImages
from facerec.data.live_crops import DatasetCrops, LiveCrops, decoded
from facerec.errors import DataError
from facerec.runtime.files import replace_file

log = logging.getLogger(__name__)

MappedCrops = np.memmap[tuple[int, ...], np.dtype[np.uint8]]
_SHAPE = (3, CROP_SIZE, CROP_SIZE)
_BATCH = 64
_FLUSHED = 256  # batches between two moments that a stopped run can go on from

_Batch = tuple[NDArray[np.uint8], list[str]]
"""Crops, and the errors of those that can not be decoded."""


def open_crops(images: FaceImages, folder: Path, num_workers: int) -> MappedCrops:
    """Map the crops of all images into memory, read-only, after decoding them if no cache exists.

    Decoding that was stopped goes on where it was.

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
    path = _path(images, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # a second run waits here, then finds the file
        if not path.exists():
            _write(images, path, num_workers)
    crops: MappedCrops = np.load(path, mmap_mode="r")
    return crops


def dataset_crops(images: FaceImages, folder: Path, num_workers: int, *, cache: bool) -> DatasetCrops:
    """As `open_crops`, but without `cache` no cache is written: crops are decoded whenever they are read."""
    if cache or (path := _path(images, folder)).exists():
        return open_crops(images, folder, num_workers)
    return LiveCrops(images, path)


def _path(images: FaceImages, folder: Path) -> Path:
    return folder / f"crops-{crops_fingerprint(images, folder)}-{ALIGNER_VERSION}.npy"


def _write(images: FaceImages, path: Path, num_workers: int) -> None:
    partial, progress = path.with_suffix(".part"), path.with_suffix(".json")
    count = len(images.files)
    size = f"{count * CROP_BYTES / 1e9:.2f} GB"
    start, damaged = _progress(progress, partial)
    if not start:  # what an interrupted run left is of no use, and must not be taken for this one's
        progress.unlink(missing_ok=True)
    _check_room(path.parent, (count - start) * CROP_BYTES)
    log.info("decoding %d images into %s (%s, once)%s", count, path, size, f"; {start} are done" if start else "")
    try:
        with partial.open("r+b" if start else "wb") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": (count, *_SHAPE)}
            np.lib.format.write_array_header_1_0(stream, header)
            stream.truncate(stream.tell() + start * CROP_BYTES)
            stream.seek(0, os.SEEK_END)
            batches = _decoded(images, range(start, count), num_workers)
            bar = tqdm(batches, "decode", -(-count // _BATCH), initial=start // _BATCH, unit="batch")
            for number, (crops, errors) in enumerate(bar, 1):
                stream.write(crops.tobytes())
                damaged += errors
                if number % _FLUSHED == 0:
                    _flush(stream)
                    done = {"images": start + number * _BATCH, "damaged": damaged}
                    replace_file(progress, json.dumps(done).encode())
            _flush(stream)
        if damaged:
            raise DataError(f"dataset {images.name}: {listed(damaged, 'files can not be decoded')}")
        progress.unlink(missing_ok=True)
        partial.replace(path)
    except _UnreadError:  # what is written stays, for the next run to go on from
        raise
    except (DataError, OSError) as error:
        for file in (partial, progress):
            file.unlink(missing_ok=True)
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path.parent}: writing {size} of crops failed ({error.strerror}); free space there or set "
            "data.cache_dir to another disk"
        ) from error


def _progress(progress: Path, partial: Path) -> tuple[int, list[str]]:
    """How many images an earlier run has written for sure, and which of them it could not decode."""
    with suppress(FileNotFoundError, ValueError):
        done = json.loads(progress.read_text())
        if partial.stat().st_size >= done["images"] * CROP_BYTES:
            return done["images"], done["damaged"]
    return 0, []


def _check_room(folder: Path, size: int) -> None:
    """Fail now, and not in the middle.

    Raises:
        DataError: the disk has too little room.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{folder}: the crops take {size / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free; free space there, "
            "set data.cache_dir to another disk, or data.cache=false, which decodes images while it trains"
        )


def _flush(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())  # a power cut could leave a file of full size without crops


class _UnreadError(DataError):
    """The disk with the images refuses."""


class _Decoder(Dataset[_Batch]):
    def __init__(self, images: FaceImages) -> None:
        self.images = images

    def __getitems__(self, rows: list[int]) -> _Batch:
        crops, errors = np.zeros((len(rows), *_SHAPE), np.uint8), []
        for position, row in enumerate(rows):
            try:
                crops[position] = decoded(self.images, row)
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


def _decoded(images: FaceImages, rows: range, num_workers: int) -> Iterator[_Batch]:
    loader = DataLoader(
        _Decoder(images),
        _BATCH,
        sampler=rows,
        num_workers=num_workers,
        collate_fn=as_is,
        multiprocessing_context=start_method(num_workers),
    )
    try:
        yield from loader
    except OSError as error:
        raise _UnreadError(
            f"dataset {images.name}: reading images failed ({error}); the same command goes on"
        ) from error
