"""A data set as a table: image files, their identities, and the split each belongs to."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facerec.errors import DataError

SPLITS = ("train", "seen", "val", "test")


class PackedImages(Protocol):
    """Images that are no files of their own."""

    containers: Sequence[Path]
    """The files that they lie in."""

    @property
    def key(self) -> str:
        """Tells which images of these files they are, in which order."""

    def read(self, row: int) -> bytes:
        """What would be the content of an image's file.

        Raises:
            DataError: there is no such image.
            OSError: the file that it lies in can't be read.
        """


@dataclass(frozen=True)
class FaceImages:
    """Image files with identities and splits. Nothing is decoded yet: see `facerec.data.cache`.

    Attributes:
        name: short name of the data set, for logs and model folders.
        files: N paths; those of packed images only name them.
        identities: `str [N]`, the person each image shows.
        splits: `str [N]`. "train"; "seen": images of training identities held out for A@1/seen; "val" and
            "test": images of identities that are in no other split.
        landmarks: `float32 [N, 5, 2]`, x and y in pixels of the file, or None where the crop is the centre
            square.
        split_by: names what decides how many identities are set aside, for messages.
        labelled: whether the training images may be learnt by identity; if not, a teacher has to say what they are.
        known: whether the identities are those of people; if not, each image stands for itself.
        packed: reads the images where they are no files.

    Raises:
        DataError: fewer than two training identities, no identity to validate on, or an identity in splits
            that must be disjoint.
    """

    name: str
    files: Sequence[Path]
    identities: NDArray[np.str_]
    splits: NDArray[np.str_]
    landmarks: NDArray[np.float32] | None = None
    split_by: str = "its split"
    labelled: bool = True
    known: bool = True
    packed: PackedImages | None = None

    def __post_init__(self) -> None:
        """Refuse a table that can't be trained and validated on."""
        train, val, test = (self._identities_of(*splits) for splits in (("train", "seen"), ("val",), ("test",)))
        shared = sorted((train & val) | (train & test) | (val & test))
        if shared:
            raise DataError(f"dataset {self.name}: {len(shared)} identities are in several splits: {shared[:5]}")
        if len(self._identities_of("train")) < 2:
            raise DataError(
                f"dataset {self.name}: training needs images of at least two identities. {self._split()}"
            )
        counts = np.unique(self.identities[self.rows("val")], return_counts=True)[1]
        if self.known and (len(counts) < 2 or counts.max() < 2):
            raise DataError(
                f"dataset {self.name}: validation needs two identities or more, at least one of them with two "
                f"images. {self._split()}"
            )

    def rows(self, split: str) -> NDArray[np.int64]:
        """Positions of the split's images, `int64`, ascending."""
        return np.flatnonzero(self.splits == split)

    def labels(self) -> NDArray[np.int64]:
        """`int64 [N]`: training identities are 0..C-1 in sorted order, all others follow."""
        train = np.unique(self.identities[self.rows("train")])
        others = np.setdiff1d(self.identities, train)
        names = np.concatenate([train, others])
        order = np.argsort(names)
        return order[np.searchsorted(names, self.identities, sorter=order)]

    @property
    def num_classes(self) -> int:
        """Number of training identities."""
        return len(self._identities_of("train"))

    def identity_digests(self, *splits: str) -> list[str]:
        """One digest for each identity of the splits, sorted: they tell whether sets share people, but not who."""
        names = sorted(self._identities_of(*splits))
        return sorted(hashlib.sha256(os.fsencode(f"{self.name}/{name}")).hexdigest()[:16] for name in names)

    def _split(self) -> str:
        """How many identities and images each split has, and what changes that."""
        splits = {"training": ("train", "seen"), "validation": ("val",), "test": ("test",)}
        counts = [
            f"{name}: {len(self._identities_of(*group))} ({np.isin(self.splits, group).sum()} images)"
            for name, group in splits.items()
        ]
        return f"Identities for {', '.join(counts)}. Add people or images, or change {self.split_by}"

    def _identities_of(self, *splits: str) -> set[str]:
        return set(self.identities[np.isin(self.splits, splits)].tolist())


def describe_dataset(config: Mapping[str, Any], images: FaceImages) -> dict[str, Any]:
    """A record of a data set for the model trained on it: its name, the function that makes it, and the arguments.

    Args:
        config: the node `dataset` of the configuration, plain values.
        images: the data set made from it.
    """
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    return {"dataset": images.name, "function": config["_target_"], "arguments": arguments}
