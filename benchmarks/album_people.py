"""Albums, and who is in their photos: told by eye from the photos to enrol, person by person and twice."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from facerec.crops import list_photos

ENROLLED_PEOPLE, ENROLLED_PHOTOS = 40, 3  # of celeba_wild; its other people are strangers

Seen = tuple[str | None, tuple[int, int] | None]
"""A person, None if not enrolled, and a point of their face in pixels; without one, the largest face is theirs."""

PEOPLE: dict[str, list[Seen]] = {
    "sitcom/photos/bbt1.jpg": [
        ("raj", (264, 197)),
        ("leonard", (520, 203)),
        ("howard", (780, 197)),
        ("sheldon", (1045, 147)),
    ],
    "sitcom/photos/bbt2.jpg": [(None, (27, 128)), ("leonard", (138, 170)), ("sheldon", (418, 170))],
    "sitcom/photos/bbt3.jpg": [
        ("sheldon", (64, 62)),
        ("howard", (181, 122)),
        ("penny", (281, 130)),
        ("raj", (393, 142)),
        ("leonard", (520, 134)),
    ],
    "sitcom/photos/bbt4.jpg": [
        ("leonard", (99, 318)),
        ("amy", (125, 76)),
        ("raj", (277, 98)),
        ("penny", (299, 286)),
        ("sheldon", (513, 234)),
        ("bernadette", (619, 115)),
    ],
    "sitcom/photos/bbt5.jpg": [
        ("raj", (150, 212)),
        ("penny", (258, 86)),
        ("sheldon", (479, 204)),
        ("leonard", (615, 97)),
        ("howard", (762, 158)),
    ],
    "actors/photos/alex_lacamoire1.jpg": [("alex_lacamoire", (792, 330))],
    "actors/photos/johnsnow_test1.jpg": [("kit_harington", (350, 247))],
    "actors/photos/kit_with_rose.jpg": [("rose_leslie", (117, 160)), ("kit_harington", (304, 141))],
    "actors/photos/obama1.jpg": [("obama", (724, 375))],
    "actors/photos/obama_and_biden.jpg": [("biden", (845, 518)), ("obama", (1233, 476)), (None, (1701, 1135))],
    "actors/photos/two_people.jpg": [("obama", (310, 126)), ("biden", (863, 153))],
}


class Album(NamedTuple):
    """Photos to enrol, of each person, and photos of known people."""

    enroll: Mapping[str, Sequence[Path]]
    photos: Mapping[Path, list[Seen]]


def read_albums(data: Path) -> Iterator[tuple[str, Album]]:
    """The albums by name."""
    for name in ("sitcom", "actors"):
        folders = sorted((data / "albums" / name / "enroll").iterdir())
        yield (
            name,
            Album(
                {folder.name: list_photos(folder) for folder in folders},
                {data / "albums" / file: seen for file, seen in PEOPLE.items() if file.startswith(name)},
            ),
        )
    people = {folder.name: list_photos(folder) for folder in sorted((data / "celeba_wild").iterdir())}
    enroll = {name: people[name][:ENROLLED_PHOTOS] for name in list(people)[:ENROLLED_PEOPLE]}
    photos: dict[Path, list[Seen]] = {}
    for name, files in people.items():
        probes = files[ENROLLED_PHOTOS:] if name in enroll else files
        photos |= {file: [(name if name in enroll else None, None)] for file in probes}
    yield "celeba_wild", Album(enroll, photos)
