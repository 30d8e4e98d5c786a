"""A list of corrections to a data set's labels, which a person can read, edit and take back."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from facerec.data.splits import has_images
from facerec.errors import DataError

log = logging.getLogger(__name__)

_STRICTEST = ("test", "val", "train")

Table = tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.bool_]]
"""Identities, splits, and which images are kept."""


class Fixes(NamedTuple):
    """What a file of corrections holds. All names are those of the uncorrected data set, see `image_names`.

    Attributes:
        same: groups of identities that are one person, who takes the first name.
        drop: images that are left out.
        move: image → the identity that it shows.
        split: name of a new identity → the images of one identity that show it.
        exclude: identities that are left out.
    """

    same: Sequence[Sequence[str]] = ()
    drop: Sequence[str] = ()
    move: Mapping[str, str] = {}
    split: Mapping[str, Sequence[str]] = {}
    exclude: Sequence[str] = ()


def image_names(files: Sequence[Path]) -> list[str]:
    """How a list of corrections calls the images: `FILE` where no two files have one name, else `FOLDER/FILE`."""
    names = [file.name for file in files]
    return names if len(set(names)) == len(names) else [f"{file.parent.name}/{file.name}" for file in files]


def read_fixes(file: Path) -> Fixes:
    """Read a file of corrections: YAML, in which every name is text, whatever it looks like.

    Raises:
        DataError: it can't be read, or holds something else.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"dataset.fixes: {file} can't be read ({error})") from error
    if not isinstance(content, dict) or (unknown := content.keys() - set(Fixes._fields)):
        others = ", ".join(sorted(map(str, unknown))) if isinstance(content, dict) else "something else"
        raise DataError(f"dataset.fixes: {file} may have the keys {', '.join(Fixes._fields)}, not {others}")
    given = {key: value for key, value in content.items() if value not in ("", None)}
    forms = {"same": "[[NAME, NAME], …]", "move": "{IMAGE: NAME}", "split": "{NEW NAME: [IMAGE, …]}"}
    for key, value in given.items():
        if not _has_form(key, value):
            raise DataError(f"dataset.fixes: {file}: {key} must have the form {forms.get(key, '[…]')}")
    return Fixes(**given)


def fix_table(
    fixes: str | None,
    files: Sequence[Path],
    identities: NDArray[np.str_],
    splits: NDArray[np.str_],
    kept: NDArray[np.bool_] | None = None,
    min_images: int = 1,
) -> Table:
    """Apply a file of corrections to a table that has its splits, so that all others stay in theirs.

    An image that is moved goes to the split of the identity it is moved to. One person whose identities are in
    several splits stays in the test, or else in validation, and their images in other splits are left out: what is
    measured stays as it was, and nobody is both trained on and measured.

    Args:
        fixes: the file; None changes nothing.
        files: N paths.
        identities: `str [N]`.
        splits: `str [N]`, see `FaceImages`.
        kept: `bool [N]`, False for images that are left out anyway; their names stay known.
        min_images: corrected training identities with fewer images are left out, too, see `has_images`.

    Raises:
        DataError: as `read_fixes` and `has_images`; or a name is unknown, or an image has two corrections.
    """
    kept = np.ones(len(files), dtype=bool) if kept is None else kept.copy()
    if fixes is not None:
        path, before = Path(fixes).expanduser(), kept
        listed = read_fixes(path)
        try:
            identities, splits, kept = _fixed(listed, files, identities, splits, before)
        except DataError as error:
            raise DataError(f"dataset.fixes: {path}: {error}") from None
        log.info("%s: %s; %d images are left out", path, _counts(listed), (before & ~kept).sum())
    kept[kept] = has_images(identities[kept], splits[kept], min_images)
    return identities, splits, kept


def _fixed(
    fixes: Fixes,
    files: Sequence[Path],
    identities: NDArray[np.str_],
    splits: NDArray[np.str_],
    kept: NDArray[np.bool_],
) -> Table:
    rows = _Rows(files)
    split_of = _split_of(identities, splits)
    names, splits, kept = identities.astype(object), splits.copy(), kept.copy()
    kept[[rows.take(name) for name in fixes.drop]] = False
    for new, images in fixes.split.items():
        taken = [rows.take(name) for name in images]
        sources = sorted(set(identities[taken].tolist()))
        if new in split_of:
            raise DataError(f"split: there is an identity {new} already; take another name")
        if len(sources) != 1:
            raise DataError(f"split: the images of {new} are of several identities: {', '.join(sources)}")
        names[taken], split_of[new] = new, split_of[sources[0]]
    for image, identity in fixes.move.items():
        row = rows.take(image)
        _check_known(identity, split_of, "move")
        if split_of[identity] != split_of[str(identities[row])]:
            splits[row] = split_of[identity]
        names[row] = identity
    leader = _leaders(fixes.same, split_of)
    for members in _by_leader(leader).values():
        strictest = min((split_of[name] for name in members), key=_STRICTEST.index)
        others = [name for name in members if split_of[name] != strictest]
        kept &= ~np.isin(names.astype(str), others)
    for name in fixes.exclude:
        _check_known(name, split_of, "exclude")
    named = np.array([leader.get(name, name) for name in names], dtype=np.str_)
    kept &= ~np.isin(named, np.array([leader.get(name, name) for name in fixes.exclude], dtype=np.str_))
    # who has lost all training images keeps none held out
    training = np.unique(named[kept & (splits == "train")])
    splits[kept & (splits == "seen") & ~np.isin(named, training)] = "train"
    return named, splits, kept


class _Rows:
    """Rows of the images by their names, `FILE` or `FOLDER/FILE`, each handed out once."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._rows: defaultdict[str, list[int]] = defaultdict(list)
        for row, file in enumerate(files):
            self._rows[file.name].append(row)
            self._rows[f"{file.parent.name}/{file.name}"].append(row)
        self._taken: set[int] = set()

    def take(self, name: str) -> int:
        rows = self._rows.get(name, [])
        if len(rows) != 1:
            raise DataError(f"no image is called {name}" if not rows else f"{len(rows)} images are called {name}")
        if rows[0] in self._taken:
            raise DataError(f"the image {name} has two corrections")
        self._taken.add(rows[0])
        return rows[0]


def _split_of(identities: NDArray[np.str_], splits: NDArray[np.str_]) -> dict[str, str]:
    """Identity → "train", "val" or "test"."""
    return {
        name: "train" if split == "seen" else split
        for name, split in zip(identities.tolist(), splits.tolist(), strict=True)
    }


def _leaders(groups: Sequence[Sequence[str]], known: Mapping[str, str]) -> dict[str, str]:
    """Each identity of a group → the name that all of them take; groups that overlap are joined."""
    leader: dict[str, str] = {}
    for group in groups:
        for name in group:
            _check_known(name, known, "same")
        joined = {leader.get(name, name) for name in group}
        first = leader.get(group[0], group[0])
        members = {name for name, theirs in leader.items() if theirs in joined} | set(group)
        leader.update(dict.fromkeys(members, first))
    return leader


def _by_leader(leader: Mapping[str, str]) -> dict[str, list[str]]:
    members: defaultdict[str, list[str]] = defaultdict(list)
    for name, first in leader.items():
        members[first].append(name)
    return members


def _check_known(identity: str, known: Mapping[str, str], key: str) -> None:
    if identity not in known:
        raise DataError(f"{key}: there is no identity {identity}")


def _has_form(key: str, value: Any) -> bool:
    def names(entry: Any, least: int = 1) -> bool:
        return isinstance(entry, list) and len(entry) >= least and all(isinstance(name, str) for name in entry)

    if key == "same":
        return isinstance(value, list) and all(names(group, 2) for group in value)
    if key == "split":
        return isinstance(value, dict) and all(names(images) for images in value.values())
    if key == "move":
        return isinstance(value, dict) and all(isinstance(name, str) for name in value.values())
    return names(value, 0)


def _counts(fixes: Fixes) -> str:
    kinds = zip(fixes._fields, fixes, strict=True)
    return ", ".join(f"{key} {len(entries)}" for key, entries in kinds if entries) or "it is empty"
