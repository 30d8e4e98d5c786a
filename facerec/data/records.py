"""RecordIO, the format in which MXNet and InsightFace pack images with their labels into one file.

The format is that of dmlc-core's `recordio.h` and MXNet's `recordio.py`: parts that start with a magic number, a
kind and a length; in a record a header `flag, label, id, id2`, `flag` further labels, and the image file.
"""

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from facerec.errors import DataError

MAGIC = 0xCED7230A
_PART = struct.Struct("<II")  # the magic number; kind (3 bits) and length (29 bits)
_HEADER = struct.Struct("<IfQQ")  # flag, label, id, id2
_WHOLE, _LAST = 0, 3  # kinds of parts; a record that holds the magic number itself is split there
_START = _PART.size + _HEADER.size + 4  # up to the first of the further labels
_AT_ONCE = 2**16


class Records(Sequence[Path]):
    """The images of a `.rec` file, in the order of their keys: each has the path `FILE.rec/KEY`.

    Records without an image, InsightFace's notes on the identities, are left out.

    Args:
        file: the `.rec` file; the `.idx` file lies beside it.

    Attributes:
        containers: the `.rec` file.
        labels: `int64 [N]`, the class of each image.

    Raises:
        DataError: a file is missing or cut short, a line of the index can't be read or points at no record, or a
            label is not a whole number.
    """

    def __init__(self, file: Path) -> None:
        self.containers: Sequence[Path] = [file]
        keys, offsets = _read_index(file)
        has_image, labels = _read_headers(file, keys, offsets)
        self._keys, self._offsets, self.labels = keys[has_image], offsets[has_image], labels[has_image]

    def __len__(self) -> int:
        """Count the images."""
        return len(self._keys)

    @overload
    def __getitem__(self, row: int) -> Path: ...
    @overload
    def __getitem__(self, row: slice) -> list[Path]: ...
    def __getitem__(self, row: int | slice) -> Path | list[Path]:
        """What to call the image of a row, or those of several."""
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        return self.containers[0] / str(self._keys[row])

    @property
    def key(self) -> str:
        """16 hex digits over the keys of the images, in order."""
        return hashlib.sha256(np.ascontiguousarray(self._keys, "<i8").tobytes()).hexdigest()[:16]

    def read(self, row: int) -> bytes:
        """The content of an image file.

        Raises:
            DataError: there is no whole record.
            OSError: the file can't be read.
        """
        parts, kind, place = [], None, int(self._offsets[row])
        with self.containers[0].open("rb") as stream:
            stream.seek(place)
            while kind not in (_WHOLE, _LAST):
                start = stream.read(_PART.size)
                magic, kind_and_length = _PART.unpack(start) if len(start) == _PART.size else (0, 0)
                kind, length = kind_and_length >> 29, kind_and_length & (2**29 - 1)
                parts.append(stream.read(length))
                if magic != MAGIC or len(parts[-1]) != length:
                    raise DataError(f"{self[row]}: no whole record starts at byte {place}; is the copy complete?")
                stream.seek(-length % 4, 1)
        content = MAGIC.to_bytes(4, "little").join(parts)
        return content[_HEADER.size + 4 * _HEADER.unpack_from(content)[0] :]

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget all other images; `kept` is `bool [N]`."""
        self._keys, self._offsets, self.labels = self._keys[kept], self._offsets[kept], self.labels[kept]


def _read_index(file: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys, ascending, and the offset of each."""
    index = file.with_suffix(".idx")
    try:
        lines = index.read_bytes()
    except OSError as error:
        raise DataError(f"{index} can't be read ({error.strerror}); it belongs to {file}") from error
    try:
        numbers = np.array(lines.split(), dtype=np.int64)
        keys, offsets = numbers.reshape(-1, 2).T
    except (ValueError, OverflowError) as error:
        raise DataError(f"{index}: expected lines of a key and an offset ({error})") from error
    order = np.argsort(keys, kind="stable")
    if not len(keys) or (np.diff(keys[order]) == 0).any():
        raise DataError(f"{index}: {'lists no records' if not len(keys) else 'lists a key twice'}")
    return keys[order], offsets[order]


def _read_headers(
    file: Path, keys: NDArray[np.int64], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each record holds an image, and its label."""
    try:
        content = np.memmap(file, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise DataError(f"{file} can't be read ({error})") from error
    has_image, labels = np.zeros(len(keys), bool), np.zeros(len(keys), np.int64)
    bar = tqdm(total=len(keys), desc="read labels", unit="image", delay=2, leave=False)
    for start in range(0, len(keys), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        places = offsets[rows]
        inside = (places >= 0) & (places + _START <= len(content))
        _check(inside, file, keys[rows], places)
        head = content[places[:, None] + np.arange(_START)]
        magic, kind_and_length, flag = (_column(head, byte, "<u4") for byte in (0, 4, 8))
        length = kind_and_length & (2**29 - 1)
        whole = (magic == MAGIC) & (places + _PART.size + length <= len(content))
        _check(whole, file, keys[rows], places)
        label = np.where(flag > 0, _column(head, _START - 4, "<f4"), _column(head, 12, "<f4"))
        split = kind_and_length >> 29 != _WHOLE
        has_image[rows] = split | (length > _HEADER.size + 4 * flag.astype(np.int64))
        bad = has_image[rows] & ~((label >= 0) & (label == np.floor(label)))
        if bad.any():
            first = np.flatnonzero(bad)[0]
            raise DataError(
                f"{file}: the label of record {keys[rows][first]}, {label[first]}, is not a class number"
            )
        labels[rows] = np.where(has_image[rows], label, 0)
        bar.update(len(places))
    bar.close()
    return has_image, labels


def _check(whole: NDArray[np.bool_], file: Path, keys: NDArray[np.int64], offsets: NDArray[np.int64]) -> None:
    if not whole.all():
        first = np.flatnonzero(~whole)[0]
        raise DataError(
            f"{file}: no whole record starts at byte {offsets[first]}, where {file.stem}.idx has record "
            f"{keys[first]}; is the copy complete?"
        )


def _column(head: NDArray[np.uint8], byte: int, kind: str) -> NDArray[Any]:
    return np.ascontiguousarray(head[:, byte : byte + 4]).view(kind)[:, 0]
