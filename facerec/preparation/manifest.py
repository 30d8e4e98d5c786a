"""The result for each photo: a journal while photos are processed, a Parquet table at the end."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from facerec.errors import DataError
from facerec.runtime.files import replace_file

Row = dict[str, Any]
"""What the manifest says of a face, by column, or of a photo without faces."""


class Journal:
    """One line of JSON for each photo, `{"source": …, "rows": [...]}`; what was written survives a kill.

    Args:
        path: the file; appended to if it exists.

    Raises:
        DataError: another run is writing this journal.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise DataError(f"{path}: another run is at work on this shard; wait until it ends") from error
        self.rows: dict[str, list[Row]] = {}
        good = 0
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):  # a kill cut this line short
                    break
                entry = json.loads(line)
                self.rows[entry["source"]] = entry["rows"]
                good += len(line)
            os.truncate(path, good)
        self._file = path.open("ab")

    def write(self, entries: dict[str, list[Row]]) -> None:
        """Add photos with the rows of their faces, and wait until they are on the disk."""
        for source, rows in entries.items():
            self._file.write(json.dumps({"source": source, "rows": rows}).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows |= entries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._lock.release()


def write_manifest(path: Path, rows: Iterable[Row], metadata: dict[str, str]) -> None:
    """Write the table: one row for each face, and one for each photo without faces, sorted by source.

    Columns: source (relative to the folder of photos), person, height, width, box (x0, y0, x1, y1), landmarks (x
    and y of five points), score, sharpness, index (of the crop in its photo), crop (file), reason (of a refusal).
    Unknown values are null.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        {
            "source": pa.string(),
            "person": pa.string(),
            "height": pa.int32(),
            "width": pa.int32(),
            "box": pa.list_(pa.float32()),
            "landmarks": pa.list_(pa.float32()),
            "score": pa.float32(),
            "sharpness": pa.float32(),
            "index": pa.int32(),
            "crop": pa.string(),
            "reason": pa.string(),
        },
        metadata=metadata,
    )
    ordered = sorted(rows, key=lambda row: (row["source"], -(row["score"] or 0)))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(ordered, schema=schema), sink)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, sink.getvalue().to_pybytes())
