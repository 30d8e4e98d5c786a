"""IJB-B and IJB-C as InsightFace distributes them: images, templates, pairs and galleries."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import Crops
from facerec.crops.crop_file import crop_file
from facerec.errors import DataError

_POINTS = [f"{axis}{point}" for point in range(5) for axis in "xy"]


class IjbImages:
    """The crops of the images, read by their rows.

    Args:
        files: N images, each of one face with its surroundings.
        landmarks: `float32 [N, 5, 2]`, pixels.
    """

    def __init__(self, files: Sequence[Path], landmarks: NDArray[np.float32]) -> None:
        self.files, self.landmarks = files, landmarks

    def __getitem__(self, rows: NDArray[np.int64]) -> Crops:
        """`uint8 [M, 3, 112, 112]`.

        Raises:
            DataError: an image is missing or can't be decoded.
        """
        with ThreadPoolExecutor() as pool:
            return np.stack([*pool.map(lambda row: crop_file(self.files[row], self.landmarks[row]), rows.tolist())])


@dataclass(frozen=True)
class Templates:
    """Templates, each with its subject.

    Attributes:
        templates: `int64 [T]`.
        subjects: `int64 [T]`.
    """

    templates: NDArray[np.int64]
    subjects: NDArray[np.int64]


@dataclass(frozen=True)
class IjbFiles:
    """All that the protocol says.

    Attributes:
        name: IJBB or IJBC.
        images: N of them.
        templates: `int64 [N]`, the template of each image.
        media: `int64 [N]`, the photo or video of each image.
        scores: `float32 [N]`, of the detector that gave the landmarks.
        pairs: `int64 [P, 2]`, the templates of each pair.
        same: `bool [P]`, whether they are of one subject.
        galleries: of 1:N identification, two of disjoint subjects; empty if the files are not there.
        probes: of 1:N identification.
    """

    name: str
    images: IjbImages
    templates: NDArray[np.int64]
    media: NDArray[np.int64]
    scores: NDArray[np.float32]
    pairs: NDArray[np.int64]
    same: NDArray[np.bool_]
    galleries: Sequence[Templates]
    probes: Templates | None


def read_ijb(root: Path) -> IjbFiles:
    """Read `ROOT/meta/*` of a folder that is named IJBB or IJBC; the images lie in `ROOT/loose_crop`.

    `NAME_face_tid_mid.txt` has image, template and medium of each face; `NAME_name_5pts_score.txt` image, landmarks
    and score, in the same order; `NAME_template_pair_label.txt` two templates and 1 or 0; the galleries
    `NAME_1N_gallery_*.csv` and the probes `NAME_1N_probe_mixed.csv` template and subject of each row. Without those
    two, 1:N identification is left out.

    Raises:
        DataError: a file is missing or can't be read, the lists of faces differ, or a template has no image.
    """
    meta = root / "meta"
    lists = sorted(meta.glob("*_face_tid_mid.txt")) if meta.is_dir() else []
    if len(lists) != 1:
        raise DataError(f"protocol.root: {meta} does not hold one …_face_tid_mid.txt; give the folder IJBB or IJBC")
    prefix = lists[0].name.removesuffix("_face_tid_mid.txt")
    faces = _columns(lists[0], {"name": str, "template": int, "medium": int})
    located = {"name": str, **dict.fromkeys([*_POINTS, "score"], float)}
    points = _columns(meta / f"{prefix}_name_5pts_score.txt", located)
    if not np.array_equal(faces["name"], points["name"]):
        raise DataError(
            f"{meta}: {prefix}_face_tid_mid.txt and …_name_5pts_score.txt do not list the same images in one order"
        )
    pairs = _columns(meta / f"{prefix}_template_pair_label.txt", {"left": int, "right": int, "same": int})
    galleries = [_templates(file) for file in sorted(meta.glob(f"{prefix}_1N_gallery_*.csv"))]
    probes = meta / f"{prefix}_1N_probe_mixed.csv"
    landmarks = np.stack([points[name] for name in _POINTS], axis=1).astype(np.float32).reshape(-1, 5, 2)
    read = IjbFiles(
        prefix.upper(),
        IjbImages([root / "loose_crop" / name for name in faces["name"].tolist()], landmarks),
        faces["template"],
        faces["medium"],
        points["score"].astype(np.float32),
        np.stack([pairs["left"], pairs["right"]], axis=1),
        pairs["same"].astype(bool),
        galleries if probes.exists() else [],
        _templates(probes) if galleries and probes.exists() else None,
    )
    known = np.unique(read.templates)
    listed = [read.pairs.ravel(), *(part.templates for part in (*read.galleries, read.probes) if part)]
    if len(empty := np.setdiff1d(np.concatenate(listed), known)):
        raise DataError(f"{meta}: {len(empty)} templates have no image, first {empty[0]}")
    return read


def _templates(file: Path) -> Templates:
    rows = _columns(file, {"template": int, "subject": int}, delimiter=",", skip=1)
    templates, first = np.unique(rows["template"], return_index=True)  # a row for each image of a template
    return Templates(templates, rows["subject"][first])


def _columns(file: Path, kinds: Mapping[str, type], delimiter: str = " ", skip: int = 0) -> dict[str, NDArray[Any]]:
    """The first columns of a file, without further ones that each row has."""
    import pyarrow as pa
    from pyarrow import csv

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    try:
        with file.open() as stream:
            width = len([stream.readline() for _ in range(skip + 1)][-1].rstrip("\n").split(delimiter))
        names = [*kinds, *(f"further{place}" for place in range(width - len(kinds)))]
        table = csv.read_csv(
            file,
            read_options=csv.ReadOptions(column_names=names, skip_rows=skip),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(
                column_types={name: types[kind] for name, kind in kinds.items()}, include_columns=list(kinds)
            ),
        )
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{file} can't be read ({error})") from error
    return {name: table[name].to_numpy() for name in kinds}
