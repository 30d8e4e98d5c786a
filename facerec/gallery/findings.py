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
    "copy": "one photo enrolled twice",
    "few": "persons with fewer than two good samples",
}
_PREFIX = (
    8  # characters of a crop's SHA-256; two samples of a gallery of a million share them once in 200 galleries
)
_SHOWN = 8  # samples of a person


class Finding(NamedTuple):
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


def describe(checkup: Checkup, contents: Contents) -> list[Finding]:
    """All findings, in the order of `KINDS`."""
    return list(_describe(checkup, contents, [printable(label) for label in contents.labels()]))


def _describe(checkup: Checkup, contents: Contents, labels: list[str]) -> Iterator[Finding]:
    near, persons = checkup.neighbours, contents.persons

    def called(row: int) -> str:
        return f"{contents.crops[row][:_PREFIX]} ({printable(contents.sources[row]) or 'no photo'})"

    def command(action: str, row: int, to: int | None = None) -> str:
        where = "" if to is None else f" to={shlex.quote(labels[to])}"
        return f"`facerec gallery {action} sample={contents.crops[row][:_PREFIX]}{where}`"

    def groups(*rows: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
        return tuple((f"{labels[persons[row]]}: {called(row)}", (row,)) for row in rows)

    def merge(pair: PersonPair) -> str:
        a, b = (labels[person] for person in pair.persons)
        return f"`facerec gallery merge name={shlex.quote(b)} to={shlex.quote(a)}`"

    for kind, pairs in (("double", checkup.doubles), ("alike", checkup.alike)):
        for pair in pairs:
            a, b = (labels[person] for person in pair.persons)
            shares = f"{pair.shares[0]:.0%} and {pair.shares[1]:.0%} of their samples reach the other"
            look = (
                "If they are one person"
                if kind == "double"
                else "Enrol more photos of both; if they are one person"
            )
            sides = tuple((labels[person], tuple(contents.rows_of(person)[:_SHOWN])) for person in pair.persons)
            sentence = f"{a} and {b}: {shares}, the nearest two at {pair.similarity:.2f}"
            yield Finding(kind, sentence, f"{look}: {merge(pair)}", sides)
        if kind == "double":
            for row in checkup.nearer.tolist():
                other = int(persons[near.other_row[row]])
                than = f"{near.other[row]:.2f}, to their own person {near.own[row]:.2f}"
                sentence = f"{called(row)} of {labels[persons[row]]} is nearer to {labels[other]}: {than}"
                if near.other[row] < checkup.threshold:
                    todo = f"Nobody is named for it. Unless the photo is good: {command('delete', row)}"
                else:
                    todo = (
                        f"If it shows {labels[other]}: {command('move', row, other)}; else {command('delete', row)}"
                    )
                yield Finding(
                    "nearer", sentence, todo, groups(row, int(near.own_row[row]), int(near.other_row[row]))
                )
    for row in checkup.unlike.tolist():
        sentence = f"{called(row)} of {labels[persons[row]]} is far from the others: {near.own[row]:.2f}"
        todo = f"If it shows somebody else, or is a bad photo: {command('delete', row)}"
        yield Finding("unlike", sentence, todo, groups(row, int(near.own_row[row])))
    for row, twin in checkup.copies:
        sentence = f"{called(row)} and {called(twin)} of {labels[persons[row]]} are one photo: {near.own[row]:.2f}"
        yield Finding("copy", sentence, f"They count once: {command('delete', twin)}", groups(row, twin))
    for person, good in checkup.few.items():
        rows = tuple(contents.rows_of(person))
        count = f"{len(rows)} sample{'s' * (len(rows) > 1)}, {good or 'none'} of them good"
        enrol = f"`facerec enroll person={shlex.quote(labels[person])} photos=…`"
        yield Finding(
            "few", f"{labels[person]} has {count}", f"Enrol more: {enrol}", ((labels[person], rows[:_SHOWN]),)
        )
