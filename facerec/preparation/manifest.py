"""What became of each photo: a journal while the work goes on, a Parquet table at its end."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from facerec.errors import DataError
from facerec.runtime.files import replace_file


class Journal:
    """Lines of JSON, one a photo: `{"source": …, "rows": [...]}`; what was written survives a kill.

    Args:
        path: the file; made if missing, gone on with if there.

    Raises:
        DataError: another run writes this journal at the moment.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise DataError(f"{path}: another run is at work on this shard; let it end") from error
        self.rows: dict[str, list[dict[str, Any]]] = {}
        good = 0
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):  # the kill came in the middle of it
                    break
                entry = json.loads(line)
                self.rows[entry["source"]] = entry["rows"]
                good += len(line)
            os.truncate(path, good)
        self._file = path.open("ab")

    def write(self, entries: dict[str, list[dict[str, Any]]]) -> None:
        """Write down photos with the rows of their faces, all in one go."""
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


def write_manifest(path: Path, rows: Iterable[dict[str, Any]], metadata: dict[str, str]) -> None:
    """Write the table, one row a face and one for each photo without, sorted by source.

    Columns: source (below the folder of photos), person, height, width, box (x0, y0, x1, y1), landmarks (x and y
    of five points), score, sharpness, index (of the crop in its photo), crop (file), reason (why there is none).
    What is not known is null.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        {
            "source": pa.string(),
            "person": pa.string(),
            "height": pa.int32(),
            "width": pa.int32(),
            "box": pa.list_(pa.float32(), 4),
            "landmarks": pa.list_(pa.float32(), 10),
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
