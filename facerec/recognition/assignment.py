"""Decide for all faces of a photo at once: nobody is named twice, unless several faces leave no doubt."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facerec.gallery.gallery import Gallery
from facerec.gallery.records import Answer, Match

_NAMED = 1e-6  # similarity; so that a face exactly at the threshold is named, and of equals the first in its list


class Named(NamedTuple):
    """The decision for one face of a photo.

    Attributes:
        answer: of the search for this face alone.
        person: who it is; None: unknown, or somebody to be ignored.
        perhaps: whom the search alone would have named, but another face is that person; or None.
        rival: number of that face in the photo, from 1; or None.
        ignored: whether it is somebody to be ignored.
    """

    answer: Answer
    person: Match | None
    perhaps: Match | None = None
    rival: int | None = None
    ignored: bool = False

    @property
    def label(self) -> str:
        """The text to show: a name, "unknown", "unknown, perhaps Ann", or "ignored"."""
        if self.person:
            return self.person.name
        if self.ignored:
            return "ignored"
        return f"unknown, perhaps {self.perhaps.name}" if self.perhaps else "unknown"

    @property
    def reason(self) -> str | None:
        """Why the face is not named as the search alone would name it; None: it is."""
        return (
            self.perhaps and f"similar enough to {self.perhaps.name}, but face {self.rival} is {self.perhaps.name}"
        )


def identify_photo(gallery: Gallery, vectors: NDArray[np.floating], *, top: int, **rule: Any) -> list[Named]:
    """Search for all faces of a photo, and decide jointly who they are.

    Args:
        gallery: to search.
        vectors: `float [N, d]` of unit length, of the faces of one photo; there may be none.
        top: how many persons an answer lists; whom the face is named is listed in any case.
        rule: `far`, `per` and `threshold` of `Gallery.identify`.

    Raises:
        GalleryError: see `Gallery.identify`.
    """
    if not len(vectors):
        return []
    # with as many candidates as faces, one is left for each face whomever the others are given
    return [_shorten(face, top) for face in assign(gallery.identify(vectors, top=max(top, len(vectors)), **rule))]


def assign(answers: Sequence[Answer]) -> list[Named]:
    """Give the faces of a photo persons they are similar enough to, and no person two faces.

    The most probable way to do so is taken. The odds that a face is a person grow exponentially with the
    similarity (the calibration is a sigmoid), so the logarithm of the odds of a whole photo, relative to faces at
    the threshold, is the sum of what the similarities have above it.

    If several faces reach `rule.certain` for the same nearest person, all of them are that person: mirrors, collages.

    Args:
        answers: for each face, with as many matches as there are faces, or everybody if fewer are enrolled.

    Returns:
        For each face; just what the searches say where they name nobody twice.
    """
    nearest = [_nearest(answer) for answer in answers]
    if not _repeated(nearest):
        return [_named(answer, match) for answer, match in zip(answers, nearest, strict=True)]
    persons = _most_probable(answers, _beyond_doubt(answers))
    given = [(match.similarity, number, match.person) for number, match in enumerate(persons, 1) if match]
    faces = {person: number for _, number, person in sorted(given)}  # of several the most similar
    return [
        _named(answer, person)
        if first is None or first.ignored or (person is not None and person.person == first.person)
        else _named(answer, person, first, faces[first.person])
        for answer, person, first in zip(answers, persons, nearest, strict=True)
    ]


def _nearest(answer: Answer) -> Match | None:
    """The nearest person if accepted; also one to be ignored."""
    return answer.matches[0] if answer.matches and answer.matches[0].accepted else None


def _named(answer: Answer, match: Match | None, perhaps: Match | None = None, rival: int | None = None) -> Named:
    if match and match.ignored:
        return Named(answer, None, ignored=True)
    return Named(answer, match, perhaps, rival)


def _shorten(face: Named, top: int) -> Named:
    matches = tuple(match for place, match in enumerate(face.answer.matches) if place < top or match == face.person)
    return face._replace(answer=face.answer._replace(matches=matches))


def _beyond_doubt(answers: Sequence[Answer]) -> dict[int, Match]:
    """Faces that leave no doubt who they are, of persons who have several such faces."""
    certain = [
        match if match and answer.rule.certain is not None and match.similarity >= answer.rule.certain else None
        for answer, match in ((answer, _nearest(answer)) for answer in answers)
    ]
    repeated = _repeated(certain)
    return {face: match for face, match in enumerate(certain) if match and match.person in repeated}


def _repeated(matches: Sequence[Match | None]) -> set[Any]:
    """Ids of the persons who are matched several times."""
    counts = Counter(match.person for match in matches if match)
    return {person for person, count in counts.items() if count > 1}


def _most_probable(answers: Sequence[Answer], fixed: Mapping[int, Match]) -> list[Match | None]:
    """A person, or nobody, for each face; those of `fixed` keep theirs."""
    from scipy.optimize import linear_sum_assignment  # takes longer to import than most photos need it

    taken = {match.person for match in fixed.values()}
    gains = {
        (face, match): match.similarity - answer.rule.threshold + _NAMED / place
        for face, answer in enumerate(answers)
        for place, match in enumerate(answer.matches, 1)
        if match.accepted and face not in fixed and match.person not in taken
    }
    columns = {person: column for column, person in enumerate({match.person: None for _, match in gains})}
    gain = np.zeros((len(answers), len(columns)))  # zero: unknown
    for (face, match), value in gains.items():
        gain[face, columns[match.person]] = value
    pairs = set(zip(*linear_sum_assignment(gain, maximize=True), strict=True))
    persons: list[Match | None] = [fixed.get(face) for face in range(len(answers))]
    for face, match in gains:
        if (face, columns[match.person]) in pairs:
            persons[face] = match
    return persons
