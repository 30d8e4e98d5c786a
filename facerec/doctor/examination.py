"""Look for all kinds of faults in one data set."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from facerec.crops.contract import Crops, IndexedCrops
from facerec.doctor.doubles import Double, copy_levels, find_doubles
from facerec.doctor.findings import Correction, Examination, Finding, Group
from facerec.doctor.levels import even_level
from facerec.doctor.linking import Link, find_links
from facerec.doctor.people import People
from facerec.doctor.splitting import Mixture, find_mixtures
from facerec.doctor.strangers import Lone, Stranger, find_lone, find_strangers
from facerec.metrics import pair_histograms

_SHOWN = 11  # images of an identity that a finding shows


def examine(
    people: People,
    crops: IndexedCrops,
    embed: Callable[[Crops], NDArray[np.float32]],
    *,
    expected: float,
    against: People | None = None,
) -> Examination:
    """Compare all images and identities of a data set with each other, a bounded number at a time.

    Args:
        people: vectors, identities and splits.
        crops: `uint8 [N, 3, 112, 112]`, of the same images.
        embed: what made the vectors of the crops.
        expected: of each kind, how many findings may be chance. Doubles are not counted so: chance makes none.
        against: of another data set, in which the same people are looked for.

    Raises:
        DataError: as `pair_histograms`.
    """
    even = even_level(pair_histograms(torch.from_numpy(people.vectors), torch.from_numpy(people.labels)))
    copies = copy_levels(crops, people.vectors, embed)
    links = find_links(people, expected)
    strangers = find_strangers(people, even, expected, [(link.left, link.right) for link in links])
    doubles = sorted(find_doubles(crops, people.vectors, copies), key=lambda double: _harm(people, double))
    mixtures = find_mixtures(people, even, expected)
    explained = {stranger.row for stranger in strangers}.union(*(cut.smaller.tolist() for cut in mixtures))
    lone = [image for image in find_lone(people, even, expected) if image.row not in explained]
    shared = find_links(people, expected, against) if against else []
    findings = [
        *(_linked(people, link) for link in links),
        *(_mixture(people, cut) for cut in mixtures),
        *(_stranger(people, stranger) for stranger in strangers),
        *(_double(people, double, copies.similarity) for double in doubles),
        *(_lone(people, image) for image in lone),
        *(_shared(people, against, link) for link in shared if against),
    ]
    figures = {
        "images": len(people.vectors),
        "identities": len(people.names),
        "pairs": len(people.names) * (len(people.names) - 1) // 2,
        "expected": expected,
        "even": even,
        "copy_similarity": copies.similarity,
        "copy_correlation": copies.correlation,
        "against": None if against is None else len(against.names),
    }
    return Examination(findings, figures)


def _linked(people: People, link: Link) -> Finding:
    names = [str(people.names[place]) for place in (link.left, link.right)]
    rows = [people.toward(link.left, people.means[link.right]), people.toward(link.right, people.means[link.left])]
    splits = [str(people.splits[group[0]]).replace("seen", "train") for group in rows]
    groups = [_group(name, group, split) for name, group, split in zip(names, rows, splits, strict=True)]
    across = splits[0] != splits[1]
    sentence = (
        f"{names[0]} ({splits[0]}) and {names[1]} ({splits[1]}) are one person"
        if across
        else (f"{names[0]} and {names[1]} are one person")
    )
    kind = "across" if across else "same"
    return Finding(kind, groups, link.similarity, link.level, sentence, Correction("same", names))


def _mixture(people: People, cut: Mixture) -> Finding:
    name = str(people.names[cut.identity])
    new = f"{name}-2"
    while new in people.names:
        new += "-2"
    groups = [_group(f"{name}, one", cut.larger), _group(f"{name}, the other", cut.smaller)]
    sentence = (
        f"{name} is two people, of whom {len(cut.smaller)} of {len(cut.larger) + len(cut.smaller)} images are one"
    )
    return Finding(
        "mixture", groups, cut.similarity, cut.level, sentence, Correction("split", [new], cut.smaller.tolist())
    )


def _stranger(people: People, stranger: Stranger) -> Finding:
    own, other = str(people.identities[stranger.row]), str(people.names[stranger.identity])
    vector = people.vectors[stranger.row]
    rest = people.toward(int(people.labels[stranger.row]), vector)
    groups = [
        Group("the image", np.array([stranger.row])),
        _group(f"others of {own}", rest[rest != stranger.row]),
        _group(f"{other}, who it seems to be", people.toward(stranger.identity, vector)),
    ]
    sentence = f"This image of {own} shows {other}: it is {stranger.own:.2f} similar to the others of {own}"
    correction = Correction("move", [other], [stranger.row])
    return Finding("stranger", groups, stranger.similarity, stranger.level, sentence, correction)


def _lone(people: People, image: Lone) -> Finding:
    name = str(people.identities[image.row])
    rest = people.toward(int(people.labels[image.row]), people.means[people.labels[image.row]])
    groups = [Group("the image", np.array([image.row])), _group(f"others of {name}", rest[rest != image.row])]
    sentence = f"This image of {name} is another person, or a bad photo: the others are {image.others:.2f} similar"
    correction = Correction("drop", (), [image.row])
    return Finding("lone", groups, image.own, image.level, sentence, correction, sure=False)


def _harm(people: People, double: Double) -> int:
    """Order of doubles: those in training and in what is measured come first, then those under several names."""
    roles = {"train" if split == "seen" else split for split in people.splits[double.rows].tolist()}
    return 0 if len(roles) > 1 else 1 if len(np.unique(people.labels[double.rows])) > 1 else 2


def _double(people: People, double: Double, level: float) -> Finding:
    """Propose to keep the image that is most like the others of its identity."""
    rows = double.rows[np.argsort(-np.nan_to_num(people.own[double.rows], nan=-1), kind="stable")]
    names = [str(name) for name in dict.fromkeys(people.identities[rows].tolist())]
    splits = sorted({str(split) for split in people.splits[rows]})
    where = f"of {names[0]}" if len(names) == 1 else f"under {len(names)} names, {', '.join(names)}"
    times = "twice" if len(rows) == 2 else f"{len(rows)} times"
    sentence = f"The same photo is there {times} {where}"
    if len(splits) > 1:
        sentence += f", in the splits {', '.join(splits)}"
    groups = [Group(f"{people.identities[row]} ({people.splits[row]})", np.array([row])) for row in rows]
    return Finding("double", groups, double.similarity, level, sentence, Correction("drop", (), rows[1:].tolist()))


def _shared(people: People, against: People, link: Link) -> Finding:
    name, other = str(people.names[link.left]), str(against.names[link.right])
    rows = people.toward(link.left, against.means[link.right])
    theirs = against.toward(link.right, people.means[link.left])
    groups = [_group(name, rows, str(people.splits[rows[0]]).replace("seen", "train")), _group(other, theirs)]
    groups[1] = groups[1]._replace(against=True)
    sentence = f"{name} is {other} of the other data set"
    return Finding("shared", groups, link.similarity, link.level, sentence, Correction("exclude", [name]))


def _group(title: str, rows: NDArray[np.int64], split: str | None = None) -> Group:
    count = f"{len(rows)} image{'s' if len(rows) > 1 else ''}"
    return Group(f"{title}: {count}{f', {split}' if split else ''}", rows[:_SHOWN])
