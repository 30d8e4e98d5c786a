"""What was found in a data set: which images, how alike, and the correction to propose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

KINDS = {
    "across": "People who are measured and trained on under two names",
    "same": "Identities that are one person",
    "mixture": "Identities that are two people",
    "stranger": "Images of somebody else",
    "double": "Photos that are there twice",
    "lone": "Images unlike the others of their identity",
    "shared": "People who are in the other data set, too",
}
"""Kinds of findings, those that spoil figures first."""


class Group(NamedTuple):
    """Rows of images that belong together, `int64`, and what to call them; `against`: of the other data set."""

    title: str
    rows: NDArray[np.int64]
    against: bool = False


class Correction(NamedTuple):
    """An entry of a list of corrections, see `facerec.data.fixes.Fixes`.

    Attributes:
        key: of the list.
        names: identities, of `same` and `exclude`; of `move` and `split` the one that the images get.
        rows: the images.
    """

    key: str
    names: Sequence[str] = ()
    rows: Sequence[int] = ()


@dataclass(frozen=True)
class Finding:
    """One fault.

    Attributes:
        kind: of `KINDS`.
        groups: the images to show.
        similarity: of the groups, or the image and its identity.
        level: where chance would end.
        sentence: what is thought to be the matter.
        correction: what is proposed.
        sure: False: the correction is proposed for whoever has looked at the images.
    """

    kind: str
    groups: Sequence[Group]
    similarity: float
    level: float
    sentence: str
    correction: Correction
    sure: bool = True


@dataclass(frozen=True)
class Examination:
    """All that was found in a data set, and what it was judged by.

    Attributes:
        findings: worst first within each kind.
        figures: plain values: numbers of images and identities, levels.
    """

    findings: Sequence[Finding]
    figures: dict[str, Any]

    def of(self, kind: str) -> list[Finding]:
        """Those of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]
