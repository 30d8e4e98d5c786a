"""The findings of a check-up in words, with the commands that put them right."""

import shlex
from collections.abc import Iterator
from typing import NamedTuple

from facerec.gallery.checkup import Checkup, PersonPair, Rate
from facerec.gallery.contents import Contents
from facerec.gallery.names import printable

KINDS = {
    "double": "one person enrolled twice?",
    "nearer": "samples nearer to somebody else",
    "alike": "too alike to be told apart",
    "unlike": "samples unlike their own person",
    "copy": "one photo enrolled twice?",
    "few": "persons with fewer than two good samples",
}
_PREFIX = (
    8  # characters of a crop's SHA-256; two samples of a gallery of a million share them once in 200 galleries
)
_SHOWN = 8  # samples of a person


class CheckupFinding(NamedTuple):
    """Something doubtful.

    Attributes:
        kind: a key of `KINDS`.
        sentence: what was found.
        todo: what to do about it; commands stand in back quotes.
        groups: the samples to look at: title and rows.
    """

    kind: str
    sentence: str
    todo: str
    groups: tuple[tuple[str, tuple[int, ...]], ...]


def say_rates(checkup: Checkup) -> list[str]:
    """How often searches in this gallery will be wrong, in sentences."""
    lines = [f"a search accepts a similarity of at least {checkup.threshold:.3f}"]
    if checkup.misses:
        share = _share(checkup.misses)
        lines.append(f"an enrolled person is missed in {share}, each sample left out once and searched for")
    else:
        lines.append("how often an enrolled person is missed can't be told: it takes persons with two samples")
    if checkup.named:
        share = _share(checkup.named)
        lines.append(f"a stranger is given a name in {share}, each person left out once and searched for")
    else:
        lines.append("how often a stranger is given a name can't be told: it takes two persons who are no doubles")
    if checkup.named_with_doubles:
        share = _share(checkup.named_with_doubles)
        lines.append(f"if those who seem to be enrolled twice are different people, it is {share}")
    return lines


def _share(rate: Rate) -> str:
    limits = f"95 %: {100 * rate.low:.2f} to {100 * rate.high:.2f} %"
    return f"{100 * rate.value:.2f} % of searches ({limits}; {rate.searches} searches for {rate.persons} persons)"


def describe(checkup: Checkup, contents: Contents) -> list[CheckupFinding]:
    """All findings, in the order of `KINDS`."""
    words = _Words(checkup, contents)
    return [*words.doubles(), *words.nearer(), *words.alike(), *words.unlike(), *words.copies(), *words.few()]


class _Words:
    """The findings of one check-up, a method for each kind."""

    def __init__(self, checkup: Checkup, contents: Contents) -> None:
        self._checkup, self._near, self._contents = checkup, checkup.neighbours, contents
        self._labels = [printable(label) for label in contents.labels()]

    def doubles(self) -> Iterator[CheckupFinding]:
        for pair in self._checkup.doubles:
            yield self._pair("double", pair, f"If they are one person: {self._merge(pair)}")

    def alike(self) -> Iterator[CheckupFinding]:
        for pair in self._checkup.alike:
            todo = f"Enrol more photos of both; if they are one person: {self._merge(pair)}"
            yield self._pair("alike", pair, todo)

    def nearer(self) -> Iterator[CheckupFinding]:
        for row in self._checkup.nearer.tolist():
            own, other = int(self._near.own_row[row]), int(self._near.other_row[row])
            person, similarity = int(self._contents.persons[other]), self._near.other[row]
            than = f"{similarity:.2f}, to their own person {self._near.own[row]:.2f}"
            sentence = f"{self._called(row)} of {self._owner(row)} is nearer to {self._labels[person]}: {than}"
            delete = self._command("delete", row)
            if similarity < self._checkup.threshold:
                todo = f"Nobody is named for it. Unless it is a good photo: {delete}"
            else:
                todo = f"If it shows {self._labels[person]}: {self._command('move', row, person)}; else {delete}"
            yield CheckupFinding("nearer", sentence, todo, self._groups(row, own, other))

    def unlike(self) -> Iterator[CheckupFinding]:
        for row in self._checkup.unlike.tolist():
            far = f"is far from the others: {self._near.own[row]:.2f}"
            todo = f"If it shows somebody else, or is a bad photo: {self._command('delete', row)}"
            groups = self._groups(row, int(self._near.own_row[row]))
            yield CheckupFinding("unlike", f"{self._called(row)} of {self._owner(row)} {far}", todo, groups)

    def copies(self) -> Iterator[CheckupFinding]:
        for row, twin in self._checkup.copies:
            both = f"{self._called(row)} and {self._called(twin)} of {self._owner(row)}"
            todo = f"Of two copies of one photo, one is enough: {self._command('delete', twin)}"
            sentence = f"{both} are hardly different: {self._near.own[row]:.2f}"
            yield CheckupFinding("copy", sentence, todo, self._groups(row, twin))

    def few(self) -> Iterator[CheckupFinding]:
        for person, good in self._checkup.few.items():
            label, rows = self._labels[person], self._contents.rows_of(person)
            count = f"{len(rows)} sample{'s' * (len(rows) > 1)}, {good or 'none'} of them good"
            todo = f"Enrol more: `facerec enroll person={shlex.quote(label)} photos=…`"
            yield CheckupFinding("few", f"{label} has {count}", todo, ((label, tuple(rows[:_SHOWN])),))

    def _pair(self, kind: str, pair: PersonPair, todo: str) -> CheckupFinding:
        a, b = (self._labels[person] for person in pair.persons)
        shares = f"{pair.shares[0]:.0%} and {pair.shares[1]:.0%} of their samples reach the other"
        sides = tuple(
            (self._labels[person], tuple(self._contents.rows_of(person)[:_SHOWN])) for person in pair.persons
        )
        return CheckupFinding(kind, f"{a} and {b}: {shares}, the nearest two at {pair.similarity:.2f}", todo, sides)

    def _merge(self, pair: PersonPair) -> str:
        a, b = (shlex.quote(self._labels[person]) for person in pair.persons)
        return f"`facerec gallery merge name={b} to={a}`"

    def _command(self, action: str, row: int, to: int | None = None) -> str:
        where = "" if to is None else f" to={shlex.quote(self._labels[to])}"
        return f"`facerec gallery {action} sample={self._contents.crops[row][:_PREFIX]}{where}`"

    def _called(self, row: int) -> str:
        return f"{self._contents.crops[row][:_PREFIX]} ({printable(self._contents.sources[row]) or 'no photo'})"

    def _owner(self, row: int) -> str:
        return self._labels[int(self._contents.persons[row])]

    def _groups(self, *rows: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
        return tuple((f"{self._owner(row)}: {self._called(row)}", (row,)) for row in rows)
