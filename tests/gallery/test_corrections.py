"""Mistakes are put right, and a correction that was one itself is undone."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facerec.errors import AmbiguousNameError, GalleryError, TakenError, UndoError, UnknownSampleError
from facerec.gallery import Corrected, Deleted, Gallery, Sample
from facerec.gallery.nearest import nearest_samples
from tests.gallery.conftest import RECORD, short_folder
from tests.gallery.test_erasure import holding

Faces = Callable[..., NDArray[np.float32]]


def crop(number: int) -> bytes:
    return bytes([number]) * 32


def enroll(gallery: Gallery, name: str, vectors: NDArray[np.float32], first: int, **more: Any) -> list[str]:
    """Enrol vectors as crops `first`, `first + 1`, …; returns the samples' names."""
    crops = [crop(first + row) for row in range(len(vectors))]
    samples = [Sample(vector, f"{name}.jpg", own) for vector, own in zip(vectors, crops, strict=True)]
    gallery.enroll(name, samples, **more)
    return [own.hex()[:8] for own in crops]


def who(gallery: Gallery, vector: NDArray[np.float32], **more: Any) -> str | None:
    [answer] = gallery.identify(vector[None], **more)
    return answer.person and answer.person.name


def content(gallery: Gallery) -> dict[str, Any]:
    """Everything that corrections change, by tables, except what undo keeps."""
    queries = {
        "persons": "SELECT id, name, note, created, ignored FROM person ORDER BY id",
        "samples": "SELECT person_id, crop, vector::text, source, created FROM sample ORDER BY person_id, crop",
        "denials": "SELECT person_id, crop, vector::text, source FROM denial ORDER BY person_id, crop",
        "codes": "SELECT person_id, code::text FROM centroid ORDER BY person_id",
    }
    return gallery._database.run(
        lambda connection: {what: connection.execute(query.encode()).fetchall() for what, query in queries.items()}
    )


def test_a_sample_is_moved_and_deleted(gallery: Gallery, faces: Faces) -> None:
    ann, bea = faces(0, 3), faces(1, 3)
    enroll(gallery, "Ann", ann, 1)
    [wrong, other] = enroll(gallery, "Ann", bea[:2], 10)
    assert who(gallery, bea[2]) == "Ann"
    moved, _ = gallery.corrections.move([wrong], "Bea")
    assert (moved.name, moved.samples) == ("Bea", 1)
    assert who(gallery, bea[0]) == "Bea"
    assert gallery.corrections.move([other], moved.id).person.samples == 2
    for exact in (True, False):
        assert who(gallery, bea[2], exact=exact) == "Bea"
        assert who(gallery, ann[2], exact=exact) == "Ann"
    assert gallery.corrections.delete([wrong, other]).samples == 2
    assert who(gallery, bea[2]) is None
    assert [(person.name, person.samples) for person in gallery.persons()] == [("Ann", 3), ("Bea", 0)]


def test_which_sample_is_meant(gallery: Gallery, faces: Faces) -> None:
    gallery.enroll("Ann", [Sample(v, "a", b"\x3f\xa9" + bytes([i]) * 30) for i, v in enumerate(faces(0, 2))])
    for sample, reason in (
        ("3fa", "give its first 4 characters"),
        ("3fag", "no hash of a crop"),
        ("0000", "no sample begins with 0000"),
        ("3fa9", "2 samples begin with 3fa9; give more characters"),
    ):
        with pytest.raises(UnknownSampleError, match=reason):
            gallery.corrections.delete([sample])
    assert gallery.corrections.delete(["3FA900"]).samples == 1


def test_two_persons_of_one_name(gallery: Gallery, faces: Faces) -> None:
    enroll(gallery, "Ann", faces(0, 2), 1, note="the tall one")
    enroll(gallery, "Ann", faces(1, 2), 10, new=True)
    tall, short = gallery.persons()
    assert (tall.name, short.name, tall.samples, short.samples) == ("Ann", "Ann", 2, 2)
    named: list[Callable[[], object]] = [
        lambda: gallery.enroll("Ann", [Sample(faces(2)[0])]),
        lambda: gallery.show("Ann"),
        lambda: gallery.erase("Ann"),
        lambda: gallery.check_enrolment("Ann", faces(2)),
        lambda: gallery.corrections.rename("Ann", "Anna"),
        lambda: gallery.corrections.merge("Ann", short.id),
        lambda: gallery.corrections.move(["01010101"], "Ann"),
        lambda: gallery.corrections.deny("Ann", "01010101"),
        lambda: gallery.corrections.ignore("Ann"),
    ]
    for act in named:
        with pytest.raises(AmbiguousNameError) as caught:
            act()
        message = str(caught.value)
        assert all(part in message for part in (tall.short_id, short.short_id, "the tall one", "2 persons"))
    assert gallery.size() == (2, 4)
    assert gallery.show(short.short_id)[0] == short
    assert gallery.enroll(short.short_id, [Sample(faces(1, 3)[2])]).person.samples == 3
    assert gallery.enroll(tall.id, [Sample(faces(0, 3)[2])]).person.samples == 3
    gallery.corrections.rename(short.short_id, "Anna")
    assert gallery.show("Ann")[0].id == tall.id


def test_a_name_in_other_letters_is_another_person_and_is_said(gallery: Gallery, faces: Faces) -> None:
    gallery.enroll("Élodie", [Sample(faces(0)[0])])
    assert gallery.enroll("élodie", [Sample(faces(1)[0])]).similar_names == ("Élodie",)
    assert gallery.enroll("élodie", [Sample(faces(1, 2)[1])]).similar_names == ()


def test_a_denied_face_is_not_that_person(gallery: Gallery, faces: Faces) -> None:
    ann = faces(0, 4)
    enroll(gallery, "Ann", ann[:2], 1)
    enroll(gallery, "Bea", faces(1, 2), 10)
    # a stranger who looks like Ann: between her and nobody
    stranger = ann[0] + 0.5 * faces(9)[0]
    stranger /= np.linalg.norm(stranger)
    assert who(gallery, stranger) == "Ann"
    gallery.corrections.deny("Ann", Sample(stranger, "party.jpg", crop(77)))
    again = stranger + 0.02 * faces(5)[0]
    again /= np.linalg.norm(again)
    for exact in (True, False):
        assert who(gallery, stranger, exact=exact) is None
        assert who(gallery, again, exact=exact) is None
        assert who(gallery, ann[2], exact=exact) == "Ann"
    [answer] = gallery.identify(stranger[None], top=5)
    assert [match.name for match in answer.matches] == ["Bea"]
    [denied] = gallery.corrections.denied("Ann")
    assert (denied.source, denied.crop) == ("party.jpg", crop(77).hex())
    gallery.corrections.allow("Ann", denied.crop[:6])
    assert who(gallery, stranger) == "Ann"
    gallery.corrections.deny("Ann", Sample(stranger, "party.jpg", crop(77)))
    gallery.enroll("Ann", [Sample(stranger, "party.jpg", crop(77))])  # it was Ann, after all
    assert gallery.corrections.denied("Ann") == []
    assert who(gallery, stranger) == "Ann"


def test_many_faces_at_once_are_decided_as_one_by_one(gallery: Gallery, faces: Faces) -> None:
    for seed in range(6):
        enroll(gallery, f"p{seed}", faces(seed, 3), 10 * seed + 1)
    probes = np.concatenate([faces(seed, 5)[3:] for seed in range(8)])
    for row in (0, 3, 4):
        gallery.corrections.deny(f"p{row // 2}", Sample(probes[row], "x", crop(200 + row)))
    together = gallery._database.run(lambda connection: nearest_samples(connection, probes))
    one_by_one = [answer.matches[0] for answer in gallery.identify(probes, threshold=0)]
    assert together[0] == [match.person for match in one_by_one]
    assert together[1] == pytest.approx([match.similarity for match in one_by_one], abs=1e-6)
    assert one_by_one[0].name != "p0"
    gallery.erase(*(person.id for person in gallery.persons()))
    assert gallery._database.run(lambda connection: nearest_samples(connection, probes[:1]))[0] == [None]
    enroll(gallery, "Ann", faces(0), 1)
    gallery.corrections.deny("Ann", Sample(probes[0], "x", crop(2)))
    persons, similarity = gallery._database.run(lambda connection: nearest_samples(connection, probes[:1]))
    assert (persons, similarity.tolist()) == ([None], [-np.inf])


def test_a_sample_can_be_denied(gallery: Gallery, faces: Faces) -> None:
    enroll(gallery, "Ann", faces(0, 2), 1)
    [wrong] = enroll(gallery, "Ann", faces(1), 10)
    enroll(gallery, "Bea", faces(2), 20)
    with pytest.raises(GalleryError, match="somebody else than Bea"):
        gallery.corrections.deny("Bea", wrong)
    assert gallery.corrections.deny("Ann", wrong).person.samples == 2
    assert who(gallery, faces(1)[0]) is None
    gallery.corrections.undo()
    assert who(gallery, faces(1)[0]) == "Ann"
    assert gallery.corrections.denied("Ann") == []


def test_an_ignored_person_is_recognised_without_the_name(gallery: Gallery, faces: Faces) -> None:
    enroll(gallery, "Bob", faces(0, 2), 1)
    assert gallery.corrections.ignore("Bob").person.ignored
    [answer] = gallery.identify(faces(0))
    assert (answer.person, answer.ignored) == (None, True)
    [stranger] = gallery.identify(faces(1))
    assert (stranger.person, stranger.ignored) == (None, False)
    assert not gallery.corrections.ignore("Bob", ignored=False).person.ignored
    assert who(gallery, faces(0)[0]) == "Bob"


def test_undo_goes_back_step_by_step(gallery: Gallery, faces: Faces) -> None:
    enroll(gallery, "Ann", faces(0, 3), 1, note="tall")
    enroll(gallery, "Anne", faces(1, 2), 10)
    gallery.corrections.deny("Anne", Sample(faces(3)[0], "x", crop(50)))
    start = content(gallery)
    steps: list[Callable[[], Corrected | Deleted]] = [
        lambda: gallery.corrections.rename("Anne", "Anna", note="short"),
        lambda: gallery.corrections.merge("Anna", "Ann"),
        lambda: gallery.corrections.move(["01010101", "0a0a0a0a"], "Bea"),
        lambda: gallery.corrections.delete(["02020202"]),
        lambda: gallery.corrections.ignore("Ann"),
        lambda: gallery.corrections.allow("Ann", crop(50).hex()),
        lambda: gallery.corrections.deny("Bea", "01010101"),
    ]
    states = [start]
    for step in steps:
        assert step().change == gallery.corrections.changes()[0].id
        states.append(content(gallery))
    assert all(a != b for a, b in itertools.pairwise(states))
    changes = gallery.corrections.changes()
    assert [change.action for change in changes[::-1]] == [
        *("deny", "rename", "merge", "move", "delete", "ignore", "allow", "deny")
    ]
    assert changes[-3].names == ("Anna", "Ann")
    for state in states[-2::-1]:
        gallery.corrections.undo()
        assert content(gallery) == state
    gallery.corrections.undo()
    with pytest.raises(UndoError, match="there is nothing to undo"):
        gallery.corrections.undo()
    assert who(gallery, faces(1)[0]) == "Anne"


def test_an_older_change_is_undone_if_no_later_one_touches_its_persons(gallery: Gallery, faces: Faces) -> None:
    for number, name in enumerate(("Ann", "Bob", "Cleo")):
        enroll(gallery, name, faces(number, 2), 10 * number + 1)
    gallery.corrections.rename("Ann", "Anna")
    gallery.corrections.rename("Bob", "Rob")
    gallery.corrections.merge("Cleo", "Rob")
    merging, renaming, first = gallery.corrections.changes()
    assert gallery.corrections.undo(first.short_id).action == "rename"
    assert {person.name for person in gallery.persons()} == {"Ann", "Rob"}
    with pytest.raises(UndoError, match=f"followed by {merging.short_id}.*undo that one first"):
        gallery.corrections.undo(renaming.id)
    with pytest.raises(UndoError, match="no change that can be undone has an id like zz"):
        gallery.corrections.undo("zz")


def test_a_crop_that_is_somebody_elses_by_now_stays_theirs(gallery: Gallery, faces: Faces) -> None:
    [sample, _] = enroll(gallery, "Ann", faces(0, 2), 1)
    gallery.corrections.delete([sample])
    enroll(gallery, "Bea", faces(0), 1)
    with pytest.raises(TakenError, match="enrolled as Bea by now"):
        gallery.corrections.undo()
    gallery.corrections.delete([sample])
    with pytest.raises(UndoError, match="can't be undone any more"):
        gallery._database.run(lambda c: _undo_missing(c))


def _undo_missing(connection: Any) -> None:
    from datetime import UTC, datetime

    from facerec.gallery import Change
    from facerec.gallery.undo import undo

    now = datetime.now(UTC)
    undo(connection, Change(UUID(int=0), now, now, "rename", 0, ()))


@pytest.fixture(scope="module")
def private_gallery() -> Iterator[Gallery]:
    path = short_folder()
    with Gallery.open(path / "g", RECORD) as opened:
        yield opened
    shutil.rmtree(path)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["rename", "merge", "move", "split", "delete", "deny", "ignore"]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 7),
    ),
    max_size=8,
)


@given(acts=ACTS)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_undoing_everything_restores_everything(private_gallery: Gallery, faces: Faces, acts: Any) -> None:
    gallery = private_gallery
    _empty(gallery)
    for number in range(4):
        enroll(gallery, f"p{number}", faces(number, 2), 2 * number + 1)
    ids = [person.id for person in gallery.persons()]
    states = [content(gallery)]
    for action, one, two, sample in acts:
        correct, name = gallery.corrections, crop(sample + 1).hex()
        try:
            match action:
                case "rename":
                    correct.rename(ids[one], f"q{sample}")
                case "merge":
                    correct.merge(ids[one], ids[two])
                case "move":
                    correct.move([name], ids[one])
                case "split":
                    correct.move([name], f"p{one}", new=True)
                case "delete":
                    correct.delete([name])
                case "deny":
                    correct.deny(ids[one], name if two % 2 else Sample(faces(9)[0], "x", crop(99)))
                case "ignore":
                    correct.ignore(ids[one])
        except GalleryError:  # merged or deleted by an earlier act
            assert content(gallery) == states[-1]
            continue
        states.append(content(gallery))
    assert len(gallery.corrections.changes()) == len(states) - 1
    for state in states[-2::-1]:
        gallery.corrections.undo()
        assert content(gallery) == state


def _empty(gallery: Gallery) -> None:
    tables = ("change_sample", "change_person", "change", "denial", "sample", "centroid", "person")
    gallery._database.run_outside_transaction(*(f"DELETE FROM {table}" for table in tables))


@pytest.mark.server
def test_what_undo_holds_is_wiped_when_it_expires(folder: Path, faces: Faces) -> None:
    secrets = {"name": b"Wilhelmina Quux", "photo": b"Wilhelmina Quux.jpg", "vector": faces(0)[0][12:20].tobytes()}
    with Gallery.open(folder, RECORD, undo_days=1e-9) as gallery:
        enroll(gallery, "Ann", faces(1, 2), 10)
        enroll(gallery, "Wilhelmina Quux", faces(0), 1)
        gallery.corrections.delete(["01010101"])
        gallery.corrections.rename("Wilhelmina Quux", "W")
        gallery._database.run_outside_transaction("CHECKPOINT")
        assert {what for what, _ in holding(folder, secrets)} == secrets.keys()
        assert gallery.corrections.changes() == []
    with Gallery.open(folder, RECORD) as gallery:
        assert holding(folder, secrets) == set()
        assert not gallery.wipe_expired()
        assert [(person.name, person.samples) for person in gallery.persons()] == [("Ann", 2), ("W", 0)]


@pytest.mark.server
def test_erasing_wipes_what_undo_and_denials_hold(folder: Path, faces: Faces) -> None:
    name = "Wilhelmina Quux"
    ann, own = faces(0, 4), faces(1000, 5)
    secrets = {f"vector {row}": vector[12:20].tobytes() for row, vector in enumerate(own)}
    secrets |= {"name": name.encode(), **{f"crop {number}": crop(number) for number in (201, 202, 240, 241)}}
    with Gallery.open(folder, RECORD) as gallery:
        enroll(gallery, "Ann", ann, 100)
        enroll(gallery, name, own[:4], 201)
        gallery.corrections.deny("Ann", Sample(own[4], "x.jpg", crop(240)))  # her face, as "not Ann"
        enroll(gallery, "Anne", faces(1000, 5)[4:], 241)
        gallery.corrections.delete([crop(241).hex()])  # her face, which was enrolled as somebody else
        gallery.corrections.rename(name, "W")
        gallery.corrections.delete([crop(202).hex()])
        gallery.corrections.merge("W", "Anne")
        gallery.corrections.rename("Ann", "Anna")
        gallery._database.run_outside_transaction("CHECKPOINT")
        assert {what for what, _ in holding(folder, secrets)} == secrets.keys()
        gallery.erase("Anne")  # into whom she was merged
        assert holding(folder, secrets) == set()
        assert [change.action for change in gallery.corrections.changes()] == ["rename"]
        assert [person.name for person in gallery.persons()] == ["Anna"]


def test_without_undo_days_nothing_is_kept(folder: Path, faces: Faces) -> None:
    with pytest.raises(GalleryError, match=r"gallery.undo_days: must be 0 or more"):
        Gallery.open(folder, RECORD, undo_days=-1)
    with Gallery.open(folder, RECORD, undo_days=0) as gallery:
        enroll(gallery, "Ann", faces(0, 2), 1)
        assert gallery.corrections.rename("Ann", "Anna").change is None
        assert gallery.corrections.changes() == []


def test_namesakes_ignored_persons_and_denials_survive_an_export(
    gallery: Gallery, faces: Faces, tmp_path: Path
) -> None:
    enroll(gallery, "Ann", faces(0, 2), 1)
    enroll(gallery, "Ann", faces(1, 2), 10, new=True)
    enroll(gallery, "Bob", faces(2, 2), 20)
    gallery.corrections.ignore("Bob")
    gallery.corrections.deny("Bob", Sample(faces(3)[0], "x.jpg", crop(50)))
    before = content(gallery)
    assert gallery.export(tmp_path / "all.jsonl") == 6
    gallery.erase(*(person.id for person in gallery.persons()))
    assert gallery.load(tmp_path / "all.jsonl") == 6
    after = content(gallery)
    times = {"persons": 3, "samples": 4}  # columns before the time of creation, which is a new one
    for what in before:
        assert [row[: times.get(what)] for row in after[what]] == [row[: times.get(what)] for row in before[what]]
    assert gallery.show("Bob")[0].ignored
    assert gallery.load(tmp_path / "all.jsonl") == 0
    # of another gallery: a person of the same name is the same, unless the file has both
    gallery.erase(*(person.id for person in gallery.persons()))
    enroll(gallery, "Bob", faces(2), 20)
    assert gallery.load(tmp_path / "all.jsonl") == 5
    assert [(person.name, person.samples) for person in gallery.persons()] == [("Ann", 2), ("Ann", 2), ("Bob", 2)]


def test_names_of_an_older_gallery_are_cleaned(folder: Path, faces: Faces) -> None:
    with Gallery.open(folder, RECORD) as gallery:
        enroll(gallery, "José", faces(0), 1)
        enroll(gallery, "Ann", faces(1), 10)
        later = ["change_sample", "change_person", "change", "denial"]
        later += ["indexed_face", "indexed_photo", "index_rule", "unwiped"]
        gallery._database.run_outside_transaction(
            "UPDATE person SET name = U&' Jose\\0301' WHERE name = 'Ann'",  # as it was typed
            *(f"DROP TABLE {table}" for table in later),
            "ALTER TABLE person DROP COLUMN ignored",
            "DROP INDEX person_name",
            "ALTER TABLE person ADD UNIQUE (name)",
            "DELETE FROM migration WHERE number >= 3",
        )
    with Gallery.open(folder, RECORD) as gallery:
        assert [(person.name, person.samples) for person in gallery.persons()] == [("José", 1), ("José", 1)]
