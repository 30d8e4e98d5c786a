"""Data sets as InsightFace packs them: faces_emore, glint360k, webface_*."""

from pathlib import Path

import numpy as np

from facerec.crops.contract import CROP_SIZE
from facerec.data.fixes import fix_table
from facerec.data.images import FaceImages
from facerec.data.records import Records
from facerec.data.splits import assign_shares
from facerec.errors import DataError


def recordio(
    root: str,
    val_share: float = 0.01,
    test_share: float = 0.01,
    seen_share: float = 0.0,
    labels: bool = True,
    min_images: int = 1,
    fixes: str | None = None,
) -> FaceImages:
    """`ROOT/train.rec`, `train.idx` and, if there is one, `property`: aligned crops of 112 x 112 pixels.

    An identity is named by the number of its class. MXNet is not needed.

    Args:
        root: the folder, or a `.rec` file.
        val_share: share of the identities set aside for validation, two at least.
        test_share: share of the identities set aside for the test; 0 for none.
        seen_share: share of each training identity's images held out for A@1/seen; none without labels.
        labels: False trains on all images of the training identities without their names, which takes a teacher.
        min_images: training identities with fewer images leave the training; validation and test stay as they are.
        fixes: a file of corrections, see `fix_table`.

    Raises:
        DataError: a file is missing, damaged or of another size, or no two training identities have `min_images`;
            or as `fix_table`.
    """
    base = Path(root).expanduser().resolve()
    file = base / "train.rec" if base.is_dir() else base
    if not file.is_file():
        raise DataError(f"dataset.root: there is no file {file}; give the folder that holds train.rec")
    _check_property(file.parent / "property")
    records = Records(file)
    if not len(records):
        raise DataError(f"{file}: holds no images")
    identities = records.labels.astype(str)
    names = np.array([record.name for record in records]) if labels and seen_share else identities  # for seen_share
    splits = assign_shares(identities, names, val_share, test_share, seen_share if labels else 0.0)
    identities, splits, kept = fix_table(fixes, records, identities, splits, min_images=min_images)
    records.keep(kept)
    split_by = "dataset.val_share, dataset.test_share"
    name = file.parent.name if file.stem == "train" else file.stem
    return FaceImages(name, records, identities[kept], splits[kept], None, split_by, labels, packed=records)


def _check_property(file: Path) -> None:
    """The number of classes, then height and width of the images.

    Raises:
        DataError: they are no crops of ours.
    """
    if not file.exists():
        return
    fields = file.read_text(errors="replace").strip().split(",")
    if [field.strip() for field in fields[1:3]] != [str(CROP_SIZE)] * 2:
        raise DataError(
            f"{file}: says {','.join(fields)}; expected images of {CROP_SIZE}x{CROP_SIZE} pixels, as in "
            f"85742,{CROP_SIZE},{CROP_SIZE}"
        )
