"""Deterministic splits: a name always belongs to the same split, on any machine and in any order."""

import hashlib
import os

import numpy as np
from numpy.typing import NDArray

from facerec.errors import DataError


def _shuffled(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Order of the names by their SHA-256: random-looking, yet a function of the names alone."""
    digests = [hashlib.sha256(os.fsencode(str(name))).digest() for name in names]
    return np.array(sorted(range(len(names)), key=digests.__getitem__), dtype=np.int64)


def choose_identities(identities: NDArray[np.str_], count: int) -> NDArray[np.str_]:
    """`count` of the distinct identities."""
    names = np.unique(identities)
    return names[_shuffled(names)[:count]]


def hold_out(identities: NDArray[np.str_], files: NDArray[np.str_], share: float) -> NDArray[np.bool_]:
    """Mark a share of each identity's images (rounded; one at least always stays in training).

    Args:
        identities: `str [N]`.
        files: `str [N]`, names of the images, which decide the choice.
        share: between 0 and 1.

    Returns:
        `bool [N]`, True where the image is held out.
    """
    held = np.zeros(len(identities), dtype=bool)
    if share == 0:
        return held
    rank = np.argsort(_shuffled(files))
    order = np.lexsort((rank, identities))
    starts = np.flatnonzero(identities[order][1:] != identities[order][:-1]) + 1
    for rows in np.split(order, starts):
        held[rows[: min(int(share * len(rows) + 0.5), len(rows) - 1)]] = True
    return held


def has_images(identities: NDArray[np.str_], splits: NDArray[np.str_], min_images: int) -> NDArray[np.bool_]:
    """Mark what stays of a table if training identities need `min_images` images, those held out included.

    Args:
        identities: `str [N]`.
        splits: `str [N]`; validation and test stay as they are.
        min_images: 1 keeps everything.

    Returns:
        `bool [N]`, False for all images of a training identity that has fewer.

    Raises:
        DataError: fewer than two training identities would be left.
    """
    training = np.isin(splits, ("train", "seen"))
    names, counts = np.unique(identities[training], return_counts=True)
    few = names[counts < min_images]
    if len(few) and len(names) - len(few) < 2:
        raise DataError(
            f"dataset.min_images: {len(names) - len(few)} of {len(names)} training identities have {min_images} "
            f"images or more, which leaves nothing to train on; the most that two have is {np.sort(counts)[-2:][0]}"
        )
    return ~(training & np.isin(identities, few))


def assign_shares(
    identities: NDArray[np.str_],
    files: NDArray[np.str_],
    val_share: float,
    test_share: float,
    seen_share: float,
) -> NDArray[np.str_]:
    """As `assign_splits`, by shares of the identities: two at least for validation."""
    people = len(np.unique(identities))
    val, test = max(2, round(val_share * people)), round(test_share * people)
    return assign_splits(identities, files, val, test, seen_share)


def assign_splits(
    identities: NDArray[np.str_], files: NDArray[np.str_], val: int, test: int, seen_share: float
) -> NDArray[np.str_]:
    """Set `test`, then `val` identities aside; of the others' images hold out `seen_share`.

    Returns:
        `str [N]` of "train", "seen", "val" and "test".
    """
    chosen = choose_identities(identities, test + val)
    splits = np.full(len(identities), "train", dtype="<U5")
    splits[np.isin(identities, chosen[:test])] = "test"
    splits[np.isin(identities, chosen[test:])] = "val"
    rest = np.flatnonzero(splits == "train")
    if len(rest):
        splits[rest[hold_out(identities[rest], files[rest], seen_share)]] = "seen"
    return splits
