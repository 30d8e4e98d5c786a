"""Images whose content lies in a column of Parquet files, as in the data sets of Hugging Face."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facerec.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


class ParquetImages:
    """Reads one image at a time; a group of rows stays in memory, so reading them in order is fast.

    Args:
        files: of the table.
        column: of the content of image files, or of what Hugging Face has for an image: `{bytes, path}`.

    Attributes:
        containers: the files.
        names: what to call each image: `FILE/ROW`.
    """

    def __init__(self, files: Sequence[Path], column: str) -> None:
        from pyarrow import parquet

        self.containers, self._column = files, column
        places, self.names = [], list[Path]()
        for number, file in enumerate(files):
            metadata = parquet.read_metadata(file)
            for group in range(metadata.num_row_groups):
                rows = metadata.row_group(group).num_rows
                places.append(np.stack(np.broadcast_arrays(number, group, np.arange(rows)), axis=1))
            self.names += [file / str(row) for row in range(metadata.num_rows)]
        self._places: NDArray[np.int64] = np.concatenate(places) if places else np.empty((0, 3), np.int64)

    @property
    def key(self) -> str:
        """The column, and 16 hex digits over the places of the images, in order."""
        places = np.ascontiguousarray(self._places, "<i8").tobytes()
        return f"{self._column} {hashlib.sha256(places).hexdigest()[:16]}"

    def read(self, row: int) -> bytes:
        """The content of an image file.

        Raises:
            DataError: the row has no image.
            OSError: the file can't be read.
        """
        number, group, place = self._places[row].tolist()
        content = _column(self.containers[number], group, self._column)[place].as_py()
        held = "is empty"
        if isinstance(content, dict):
            held = f"has a path, {content.get('path')}, but no content"
            content = content.get("bytes")
        if content is None:
            raise DataError(f"{self.names[row]}: column {self._column} {held}")
        return bytes(content)

    def take(self, rows: NDArray[np.int64]) -> None:
        """Forget all images but these."""
        self._places, self.names = self._places[rows], [self.names[row] for row in rows]


@lru_cache(maxsize=1)
def _column(file: Path, group: int, column: str) -> "pa.ChunkedArray":
    from pyarrow import parquet

    with parquet.ParquetFile(file) as opened:
        return opened.read_row_group(group, columns=[column]).column(column)
