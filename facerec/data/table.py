"""A data set as a CSV or Parquet table: what `facerec prepare` writes, and what Hugging Face data sets hold."""

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facerec.data.fixes import fix_table
from facerec.data.images import SPLITS, FaceImages
from facerec.data.parquet_images import ParquetImages
from facerec.data.splits import assign_shares
from facerec.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

_NAMELESS = re.compile(r"(|manifest|data|train|test|val(idation)?|[a-z]*-?\d+(-of-\d+)?|.*[*?].*)", re.IGNORECASE)

_COUNTING = " (counting rows that have an image)"
_OTHER_NAMES = {"validation": "val", "valid": "val", "dev": "val", "training": "train", "testing": "test"}

# where landmarks lie in a face's box, as shares of its sides: medians of RetinaFace's over 160 photos of CelebA,
# made symmetric
_IN_BOX = np.array([[0.27, 0.40], [0.73, 0.40], [0.5, 0.60], [0.305, 0.74], [0.695, 0.74]])


def table(
    file: str | Sequence[str],
    image: str = "path",
    identity: str = "identity",
    split: str | None = None,
    landmarks: str | None = None,
    box: str | None = None,
    root: str | None = None,
    val_share: float = 0.15,
    test_share: float = 0.15,
    seen_share: float = 0.1,
    labels: bool = True,
    min_images: int = 1,
    fixes: str | None = None,
) -> FaceImages:
    """Images listed in `.csv` or `.parquet` files, which are joined. Rows without a path are left out.

    A crop is aligned by its landmarks, or else by where landmarks usually lie in its box; without either it is the
    centre square.

    Args:
        file: of the table, a pattern such as `data/train-*.parquet`, a folder of such files, or several.
        image: column of paths, or, in Parquet, of the content of image files, or of both as Hugging Face has them
            (`{bytes, path}`).
        identity: column of names or numbers; numbers become the names that Hugging Face's metadata has for them.
        split: column of train, seen, val (or validation) and test; None: identities are set aside by the shares.
        landmarks: column of x and y, in pixels, of eyes, nose and corners of the mouth, the left one in the image
            first: a list of ten numbers, or text with ten numbers.
        box: column of x0, y0, x1, y1 in pixels, likewise.
        root: folder that paths are relative to; None: that of the table.
        val_share: share of the identities set aside for validation, two at least.
        test_share: share of the identities set aside for the test; 0 for none.
        seen_share: share of each training identity's images held out for A@1/seen; none without labels.
        labels: False trains on all images of the training identities without their names, which takes a teacher.
        min_images: training identities with fewer images leave the training; validation and test stay as they are.
        fixes: a file of corrections, see `fix_table`.

    Raises:
        DataError: a file or column is missing, a value can't be read, or no two training identities have
            `min_images`; or as `fix_table`.
    """
    files = _files(file)
    columns = {"image": image, "identity": identity, "split": split, "landmarks": landmarks, "box": box}
    wanted = {key: name for key, name in columns.items() if name}
    parts = _read(files, wanted)
    packed = None
    if image in parts[0].column_names:
        paths, rows = _paths(files, parts, image, root)
    else:
        packed, rows = ParquetImages(files, image), _joined(parts)
        paths = packed.names
    identities = _identities(rows, identity)
    if split:
        splits, split_by = _splits(rows, split), f"column {split}"
    else:
        split_by = "dataset.val_share, dataset.test_share"
        names = np.array([f"{path.parent.name}/{path.name}" for path in paths])
        splits = assign_shares(identities, names, val_share, test_share, seen_share if labels else 0.0)
    points = _landmarks(rows, landmarks, box)
    identities, splits, kept = fix_table(fixes, paths, identities, splits, min_images=min_images)
    chosen = np.flatnonzero(kept)
    if packed:
        packed.take(chosen)
    return FaceImages(
        table_name(files),
        [paths[row] for row in chosen],
        identities[chosen],
        splits[chosen],
        None if points is None else points[chosen],
        split_by,
        labels,
        packed=packed,
    )


def table_name(files: Sequence[Path]) -> str:
    """The name of a table: its file's, or that of a folder above where the file's says nothing: `train-0-of-3`."""
    names = [files[0].stem, *(folder.name for folder in files[0].parents)]
    return next((name for name in names if not _NAMELESS.fullmatch(name)), files[0].stem)


def _files(given: str | Sequence[str]) -> list[Path]:
    files: list[Path] = []
    for pattern in [given] if isinstance(given, str) else given:
        whole = Path(pattern).expanduser().resolve()
        if whole.is_dir():
            matches = sorted([*whole.glob("*.parquet"), *whole.glob("*.csv")])
        else:
            matches = [whole] if whole.is_file() else sorted(whole.parent.glob(whole.name))
        if not matches:
            raise DataError(f"dataset.file: there is no {whole if not whole.is_dir() else whole / '*.parquet'}")
        files += matches
    if odd := [file for file in files if file.suffix not in (".csv", ".parquet")]:
        raise DataError(f"dataset.file: {odd[0]} is neither .csv nor .parquet")
    return files


def _read(files: Sequence[Path], wanted: dict[str, str]) -> "list[pa.Table]":
    """The wanted columns of all files, but not that of the images if it holds their content."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    parts = []
    for file in files:
        try:
            if file.suffix == ".csv":
                texts = csv.ConvertOptions(column_types=dict.fromkeys(wanted.values(), pa.string()))
                part = csv.read_csv(file, convert_options=texts)
                schema = part.schema
            else:
                part, schema = None, parquet.read_schema(file)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"dataset.file: {file} can't be read ({error})") from error
        for key, name in wanted.items():
            if name not in schema.names:
                raise DataError(f"dataset.{key}: {file} has no column {name}; it has {', '.join(schema.names)}")
        kind = schema.field(wanted["image"]).type
        types = pa.types
        plain = types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind)
        if not (plain or types.is_binary(kind) or types.is_large_binary(kind) or types.is_struct(kind)):
            raise DataError(f"dataset.image: column {wanted['image']} of {file} holds {kind}, not paths or images")
        chosen = sorted({name for key, name in wanted.items() if key != "image" or plain})
        parts.append(part.select(chosen) if part is not None else parquet.read_table(file, columns=chosen))
    if any(part.column_names != parts[0].column_names for part in parts):
        raise DataError("dataset.image: some files have paths, others images; give them apart")
    return parts


def _joined(parts: "Sequence[pa.Table]") -> "pa.Table":
    import pyarrow as pa

    try:
        return pa.concat_tables(parts)
    except pa.ArrowException as error:
        raise DataError(f"dataset.file: the files do not go together ({error})") from error


def _paths(
    files: Sequence[Path], parts: "Sequence[pa.Table]", image: str, root: str | None
) -> "tuple[list[Path], pa.Table]":
    """The files of the images, and the rows that have one."""
    import pyarrow.compute as pc

    paths, kept = [], []
    for file, part in zip(files, parts, strict=True):
        base = Path(root).expanduser().resolve() if root else file.parent
        kept.append(part.filter(pc.and_(pc.is_valid(part[image]), pc.not_equal(part[image], ""))))
        paths += [base / name for name in kept[-1][image].to_pylist()]
    if left_out := sum(map(len, parts)) - len(paths):
        log.info("dataset.file: %d rows have no image and are left out", left_out)
    if not paths:
        raise DataError(f"dataset.image: column {image} of {files[0]} is empty")
    return paths, _joined(kept)


def _identities(rows: "pa.Table", column: str) -> NDArray[np.str_]:
    values = rows[column].to_pylist()
    if empty := [row for row, value in enumerate(values) if value in (None, "")]:
        raise DataError(f"dataset.identity: column {column} is empty in row {empty[0]}{_COUNTING}")
    features = (
        json.loads((rows.schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    )
    names = features.get(column, {}).get("names")
    if names and (unnamed := [value for value in values if not 0 <= value < len(names)]):
        raise DataError(f"dataset.identity: column {column} has {unnamed[0]}, and {len(names)} names")
    return np.array([str(names[value]) if names else str(value) for value in values])


def _splits(rows: "pa.Table", column: str) -> NDArray[np.str_]:
    values = [_OTHER_NAMES.get(str(value), str(value)) for value in rows[column].to_pylist()]
    if unknown := sorted(set(values) - set(SPLITS)):
        raise DataError(f"dataset.split: column {column} has {unknown[0]!r}; expected {', '.join(SPLITS)}")
    return np.array(values)


def _landmarks(rows: "pa.Table", landmarks: str | None, box: str | None) -> NDArray[np.float32] | None:
    if landmarks:
        return _numbers(rows, landmarks, 10, "landmarks").reshape(-1, 5, 2)
    if not box:
        return None
    corners = _numbers(rows, box, 4, "box")
    side = corners[:, 2:] - corners[:, :2]
    if not (side > 0).all():
        row = int(np.flatnonzero((side <= 0).any(axis=1))[0])
        given = corners[row].tolist()
        raise DataError(f"dataset.box: column {box} has no box x0, y0, x1, y1 in row {row}{_COUNTING}: {given}")
    points: NDArray[np.float32] = (corners[:, None, :2] + side[:, None] * _IN_BOX).astype(np.float32)
    return points


def _numbers(rows: "pa.Table", column: str, count: int, key: str) -> NDArray[np.float32]:
    """`float32 [N, count]`, of lists or of text."""
    numbers = np.empty((len(rows), count), np.float32)
    for row, value in enumerate(rows[column].to_pylist()):
        try:
            given = re.sub(r"[][(),;]", " ", value).split() if isinstance(value, str) else np.ravel(value)
            numbers[row] = np.array(given, np.float32).reshape(count)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"dataset.{key}: column {column} does not have {count} numbers in row {row}{_COUNTING}: {value!r}"
            ) from error
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers).all(axis=1))[0])
        raise DataError(f"dataset.{key}: column {column} is not finite in row {row}{_COUNTING}")
    return numbers
