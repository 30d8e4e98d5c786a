"""A data set of your own: one folder per person, with images in it."""

from pathlib import Path

import numpy as np

from facerec.crops.listing import pick_photos
from facerec.crops.photo import FORMATS
from facerec.data.fixes import fix_table
from facerec.data.images import FaceImages
from facerec.data.splits import assign_shares
from facerec.errors import DataError


def folder(
    root: str,
    val_share: float = 0.15,
    test_share: float = 0.15,
    seen_share: float = 0.1,
    labels: bool = True,
    min_images: int = 1,
    fixes: str | None = None,
) -> FaceImages:
    """`ROOT/PERSON/*.jpg|png|…`, one face per image; the crop is the centre square.

    Args:
        root: the folder of folders.
        val_share: share of the persons set aside for validation, two at least.
        test_share: share of the persons set aside for the test; 0 for none.
        seen_share: share of each training person's images held out for A@1/seen.
        labels: False takes all images below `root`, whoever they show, for training from a teacher; `val_share` is
            then of the images, and no others are set aside.
        min_images: training persons with fewer images leave the training; validation and test stay as they are.
        fixes: a file of corrections, see `fix_table`.

    Raises:
        DataError: the folder is missing, no folder in it holds images, or no two training persons have
            `min_images`; or as `fix_table`.
    """
    base = Path(root).expanduser().resolve()
    if not base.is_dir():
        raise DataError(f"dataset.root: there is no folder {base}")
    if not labels:
        return _unlabelled(base, val_share, fixes)
    files = pick_photos(base.glob("*/*"), base)
    if not files:
        raise DataError(f"dataset.root: no images in {base}/PERSON/ ({FORMATS})")
    identities = np.array([file.parent.name for file in files])
    names = np.array([f"{file.parent.name}/{file.name}" for file in files])
    splits = assign_shares(identities, names, val_share, test_share, seen_share)
    identities, splits, kept = fix_table(fixes, files, identities, splits, min_images=min_images)
    files = [file for file, keep in zip(files, kept, strict=True) if keep]
    split_by = "dataset.val_share, dataset.test_share"
    return FaceImages(base.name, files, identities[kept], splits[kept], split_by=split_by)


def _unlabelled(base: Path, val_share: float, fixes: str | None) -> FaceImages:
    files = pick_photos(base.rglob("*"), base)
    if not files:
        raise DataError(f"dataset.root: no images in {base} ({FORMATS})")
    names = np.array([file.relative_to(base).as_posix() for file in files])
    splits = assign_shares(names, names, val_share, 0, 0)
    names, splits, kept = fix_table(fixes, files, names, splits)
    files = [file for file, keep in zip(files, kept, strict=True) if keep]
    split_by = "dataset.val_share"
    return FaceImages(base.name, files, names[kept], splits[kept], split_by=split_by, labelled=False, known=False)
