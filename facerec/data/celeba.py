"""CelebA (Liu et al., ICCV 2015) in its official layout, one or several roots joined."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facerec.crops.photo import read_photo
from facerec.data.fixes import fix_table
from facerec.data.images import FaceImages
from facerec.data.splits import choose_identities, hold_out
from facerec.errors import DataError

log = logging.getLogger(__name__)

_LAYOUT = """Get CelebA ("Align&Cropped Images", identities, partitions, landmarks) from its authors' page,
https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, and lay it out as
  ROOT/img_align_celeba/000001.jpg …   ROOT/identity_CelebA.txt
  ROOT/list_eval_partition.txt         ROOT/list_landmarks_align_celeba.txt (may be absent)"""

# Where CelebA's own alignment puts the landmarks of a 178x218 image: means over its landmark file.
_MEAN_LANDMARKS = np.array([[69.6, 111.4], [107.6, 111.3], [88.3, 134.9], [71.4, 152.1], [105.3, 151.9]])
_ALIGNED_WIDTH = 178
_PARTITIONS = {"0": "train", "1": "val", "2": "test"}


def celeba(
    root: str | Sequence[str],
    val_share: float = 0.1,
    seen_share: float = 0.1,
    exclude: Sequence[int] = (),
    labels: bool = True,
    min_images: int = 1,
    fixes: str | None = None,
) -> FaceImages:
    """The official identity-disjoint split; equal identity numbers are the same person in every root.

    An image whose file name is in several roots is taken from the first. Where no image is in the
    validation partition, validation identities are taken out of the training ones.

    Args:
        root: one folder, or several.
        val_share: share of the training identities that becomes validation where there is no other.
        seen_share: share of each training identity's images held out for A@1/seen; none without labels.
        exclude: identities left out, such as those of another benchmark; the split of all others stays as it is.
        labels: False trains on all images of the training identities without their names, which takes a teacher.
        min_images: training identities with fewer images leave the training; validation and test stay as they are.
        fixes: a file of corrections, see `fix_table`.

    Raises:
        DataError: a root, a list or listed images are missing, a line can't be read, an identity to exclude is not
            there, or no two training identities have `min_images`; or as `fix_table`.
    """
    roots = [Path(root)] if isinstance(root, str) else [Path(entry) for entry in root]
    tables = [_read_root(entry) for entry in roots]
    names, identities, partitions, landmarks = (np.concatenate(columns) for columns in zip(*tables, strict=True))
    files = [
        base / "img_align_celeba" / str(name)
        for base, table in zip(roots, tables, strict=True)
        for name in table[0]
    ]

    first = np.sort(np.unique(names, return_index=True)[1])
    if len(first) < len(names):
        log.info("celeba: %d images are in several roots; the first root's copy is used", len(names) - len(first))
    names, identities, landmarks = names[first], identities[first], landmarks[first]
    files = [files[row] for row in first]
    splits = np.array([_PARTITIONS[str(number)] for number in partitions[first]])

    split_by = "list_eval_partition.txt"
    if not (splits == "val").any():
        split_by += ", dataset.val_share"
        train = np.unique(identities[splits == "train"])
        chosen = choose_identities(train, round(val_share * len(train)))
        splits[np.isin(identities, chosen)] = "val"
        log.info(
            "celeba: partition 1 holds no images; %d of %d training identities are set aside for validation",
            len(chosen),
            len(train),
        )
    train_rows = np.flatnonzero(splits == "train")
    splits[train_rows[hold_out(identities[train_rows], names[train_rows], seen_share if labels else 0.0)]] = "seen"
    left_out = np.array([str(identity) for identity in exclude], dtype=np.str_)
    if unknown := sorted(set(left_out.tolist()) - set(identities.tolist())):
        raise DataError(f"dataset.exclude: no image is of identity {', '.join(unknown)}")
    excluded = np.isin(identities, left_out)
    identities, splits, kept = fix_table(fixes, files, identities, splits, ~excluded, min_images)
    return FaceImages(
        "celeba",
        [file for file, keep in zip(files, kept, strict=True) if keep],
        identities[kept],
        splits[kept],
        landmarks[kept],
        split_by,
        labels,
    )


_Table = tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_], NDArray[np.float32]]


def _read_root(root: Path) -> _Table:
    """Names, identities, partitions and landmarks of one root, checked against the files that are there."""
    image_folder = root / "img_align_celeba"
    for needed in (root, image_folder, root / "identity_CelebA.txt", root / "list_eval_partition.txt"):
        if not needed.exists():
            raise DataError(f"dataset.root: {needed} is missing\n{_LAYOUT}")
    identity = _read_columns(root / "identity_CelebA.txt", 1)
    partition = _read_columns(root / "list_eval_partition.txt", 1)
    if not identity:
        raise DataError(f"{root / 'identity_CelebA.txt'} lists no images\n{_LAYOUT}")
    if unknown := identity.keys() ^ partition.keys():
        raise DataError(
            f"{root}: {len(unknown)} images are in only one of identity_CelebA.txt and list_eval_partition.txt, "
            f"first {min(unknown)}; both lists must name the same images"
        )
    present = {entry.name for entry in image_folder.iterdir()}
    if missing := sorted(identity.keys() - present):
        raise DataError(
            f"{image_folder}: {len(missing)} of {len(identity)} images listed in identity_CelebA.txt are missing, "
            f"first {', '.join(missing[:5])}; is the copy complete?"
        )
    names = sorted(identity)
    if bad := [name for name in names if partition[name][0] not in _PARTITIONS]:
        raise DataError(f"{root / 'list_eval_partition.txt'}: the partition of {bad[0]} is not 0, 1 or 2")
    landmark_file = root / "list_landmarks_align_celeba.txt"
    if landmark_file.exists():
        points = _read_columns(landmark_file, 10, header_lines=2)
        if missing := sorted(identity.keys() - points.keys()):
            raise DataError(f"{landmark_file}: no landmarks for {len(missing)} images, first {missing[0]}")
        landmarks = np.array([points[name] for name in names], dtype=np.float32).reshape(-1, 5, 2)
    else:
        height, width = read_photo(image_folder / names[0]).shape[:2]
        scale = width / _ALIGNED_WIDTH
        log.info(
            "celeba: %s has no landmark file; crops follow the fixed alignment of its %dx%d images",
            root,
            width,
            height,
        )
        landmarks = np.tile(((_MEAN_LANDMARKS + 0.5) * scale - 0.5).astype(np.float32), (len(names), 1, 1))
    owners = np.array([identity[name][0] for name in names])
    partitions = np.array([partition[name][0] for name in names])
    return np.array(names), owners, partitions, landmarks


def _read_columns(file: Path, columns: int, header_lines: int = 0) -> dict[str, list[str]]:
    """File name → the values behind it, for each line."""
    table: dict[str, list[str]] = {}
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: can't be read ({error}); is the copy complete?") from error
    for number, line in enumerate(lines[header_lines:], header_lines + 1):
        fields = line.split()
        if fields and (len(fields) != columns + 1 or not all(field.lstrip("-").isdigit() for field in fields[1:])):
            raise DataError(
                f"{file}, line {number}: expected a file name and {columns} whole numbers, found {line!r}"
            )
        if fields:
            table[fields[0]] = fields[1:]
    return table
