"""The index of photos, on a real server, with vectors of made-up people."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from facerec.errors import GalleryError, UnknownPersonError
from facerec.gallery import Gallery, Sample
from facerec.gallery.index_records import FileState, IndexedPhoto
from facerec.models import ModelRecord
from tests.gallery.conftest import DIM, RECORD

Faces = Callable[..., NDArray[np.float32]]
STATE = FileState(1000, 5)
ROOT = Path("/photos")
BOX = (1.0, 2.0, 30.0, 40.0)


def photo(name: str, vectors: Iterable[NDArray[np.float32]], state: FileState = STATE) -> IndexedPhoto:
    samples = [Sample(vector, "", Sample(vector).digest(), BOX, 0.5) for vector in vectors]
    return IndexedPhoto(ROOT / name, state, 60, 50, samples)


@pytest.fixture
def index(gallery: Gallery) -> Gallery:
    """A gallery whose index is empty."""
    gallery.index.forget()
    return gallery


def fill(gallery: Gallery, faces: Faces, people: int = 8, each: int = 4) -> dict[Path, int]:
    """Photos of one person each, `each` of every person: path → person."""
    photos = {
        ROOT / f"{person}-{number}.jpg": (person, vector)
        for person in range(people)
        for number, vector in enumerate(faces(person, each))
    }
    gallery.index.store([photo(path.name, [vector]) for path, (_, vector) in photos.items()], retention=None)
    return {path: person for path, (person, _) in photos.items()}


def test_whoever_is_enrolled_later_is_found_in_every_photo(index: Gallery, faces: Faces) -> None:
    truth = fill(index, faces)
    index.enroll("Ann", [Sample(faces(0, 5)[4])])
    index.enroll("Bea", [Sample(faces(1, 5)[4])])
    for number, name in enumerate(("Ann", "Bea")):
        found = index.index.photos_of(name)
        assert {face.photo for face, _ in found} == {path for path, person in truth.items() if person == number}
        similarities = [match.similarity for _, match in found]
        assert similarities == sorted(similarities, reverse=True)
        [face, match] = found[0]
        assert (face.number, face.box, face.score) == (1, BOX, 0.5)
        assert (match.name, match.accepted) == (name, True)
    index.erase("Ann")
    with pytest.raises(UnknownPersonError):
        index.index.photos_of("Ann")


@pytest.mark.parametrize("far", [0.01, 0.3])
def test_the_gallery_decides_as_in_a_search_of_each_face(index: Gallery, faces: Faces, far: float) -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(300, DIM)) + 2 * faces(0)[0]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    index.index.store([photo(f"{row}.jpg", [vector]) for row, vector in enumerate(vectors)], retention=None)
    for person in range(6):
        index.enroll(f"p{person}", [Sample(vector) for vector in faces(0, 18)[3 * person : 3 * person + 3]])
    answers = index.identify(vectors, far=far)
    named = {ROOT / f"{row}.jpg": answer.person for row, answer in enumerate(answers) if answer.person}
    assert 20 < len(named) < 280
    found = {
        face.photo: match for person in range(6) for face, match in index.index.photos_of(f"p{person}", far=far)
    }
    assert found.keys() == named.keys()
    for path, match in found.items():
        assert (match.person, match.name, match.accepted) == (named[path].person, named[path].name, True)
        assert match.similarity == pytest.approx(named[path].similarity, abs=1e-6)
    unknown = {path for group in index.index.groups(far=far, least=1) for path in group.photos}
    assert unknown == {ROOT / f"{row}.jpg" for row in range(300)} - named.keys()


def test_unknown_faces_are_grouped_and_a_group_is_named_as_a_whole(index: Gallery, faces: Faces) -> None:
    truth = fill(index, faces)
    index.index.store([photo("both.jpg", [faces(0, 5)[4], faces(1, 5)[4]])], retention=None)
    groups = index.index.groups()
    assert [len(group.faces) for group in groups] == [5, 5, 4, 4, 4, 4, 4, 4]
    for group in groups:
        assert len({truth[path] for path in group.photos if path in truth}) == 1
    assert groups == sorted(groups, key=lambda group: (-len(group.faces), group.id))
    first = groups[0]
    assert index.index.name_group(first.id[:6].upper(), "Bea").new == 5
    assert index.size() == (1, 5)
    [person, samples] = index.show("Bea")
    assert {sample.source for sample in samples} == {path.name for path in first.photos}
    assert {sample.box for sample in samples} == {BOX}
    assert {face.photo for face, _ in index.index.photos_of(person.id)} == set(first.photos)
    assert [group.id for group in index.index.groups()] == [group.id for group in groups[1:]]


def test_a_group_that_changed_has_another_id(index: Gallery, faces: Faces) -> None:
    fill(index, faces, people=2)
    before = {group.id for group in index.index.groups()}
    again = {group.id for group in index.index.groups()}
    assert before == again
    index.index.store([photo("new.jpg", [faces(0, 5)[4]])], retention=None)
    [changed] = before - {group.id for group in index.index.groups()}
    with pytest.raises(GalleryError, match=r"there is none; if faces came or went"):
        index.index.name_group(changed, "Bea")
    for short in ("", "3fa"):
        with pytest.raises(GalleryError, match="at least 4 digits"):
            index.index.name_group(short, "Bea")
    assert index.size() == (0, 0)


def test_two_faces_of_one_photo_are_two_people(index: Gallery, faces: Faces) -> None:
    """Twins: all eight faces are alike, and each photo has two."""
    vectors = faces(0, 8)
    index.index.store([photo(f"{row}.jpg", vectors[2 * row : 2 * row + 2]) for row in range(4)], retention=None)
    groups = index.index.groups(threshold=0.5)
    assert [len(group.faces) for group in groups] == [4, 4]
    assert all(len(group.photos) == 4 for group in groups)


def test_the_most_doubtful_faces_are_asked_about_first(index: Gallery, faces: Faces) -> None:
    fill(index, faces, people=3)
    index.enroll("Ann", [Sample(faces(0, 1)[0])])
    asked = index.index.questions()
    assert len(asked) == 11  # not about the face that is enrolled itself
    [rule] = {answer.rule for answer in index.identify(faces(0, 1))}
    distances = [abs(match.similarity - rule.threshold) for _, match in asked]
    assert distances == sorted(distances)
    assert {match.accepted for _, match in asked} == {True, False}
    assert index.index.questions(3) == asked[:3]
    index.corrections.ignore("Ann")
    assert index.index.questions() == []  # who is ignored is not asked about
    index.corrections.undo()
    assert index.index.questions() == asked
    index.erase("Ann")
    assert index.index.questions() == []


def test_only_new_and_changed_photos_are_read_and_those_gone_are_forgotten(index: Gallery, faces: Faces) -> None:
    states = dict.fromkeys(fill(index, faces, people=2), STATE)
    elsewhere = IndexedPhoto(Path("/photos2/x.jpg"), STATE, 1, 1, [])
    index.index.store([elsewhere, photo("broken.jpg", [])._replace(problem="the file is empty")], retention=None)
    states |= {ROOT / "broken.jpg": STATE}
    assert index.index.prepare(ROOT, states, retention=None) == ([], 0)
    assert index.index.problems(ROOT) == [(ROOT / "broken.jpg", "the file is empty")]
    assert index.index.problems(ROOT / "sub") == []
    *rest, gone = states
    now = dict.fromkeys(rest, STATE) | {rest[0]: FileState(1000, 6), ROOT / "new.jpg": STATE}
    to_read, forgotten = index.index.prepare(ROOT, now, retention=None)
    assert (set(to_read), forgotten) == ({rest[0], ROOT / "new.jpg"}, 1)
    assert index.index.size() == (9, 8)
    index.index.store([photo(rest[0].name, faces(7, 2), FileState(1000, 6))], retention=None)
    assert index.index.size() == (9, 9)
    assert index.index.forget(ROOT) == 8
    assert index.index.size() == (1, 0)
    assert index.index.forget(elsewhere.path) == 1
    assert gone == ROOT / "broken.jpg"


def test_unnamed_faces_expire_and_are_not_read_again(index: Gallery, faces: Faces) -> None:
    states = dict.fromkeys(fill(index, faces, people=3), STATE)
    index.enroll("Ann", [Sample(faces(0, 5)[4])])
    assert index.index.expire() == 0  # retention=None
    index.index.prepare(ROOT, states, retention=timedelta(days=1))
    assert index.index.expire() == 0
    index.index.prepare(ROOT, states, retention=timedelta(0))
    assert index.index.expire() == 8
    assert index.index.size() == (12, 4)
    assert len(index.index.photos_of("Ann")) == 4
    assert index.index.groups(least=1) == []
    assert index.index.prepare(ROOT, states, retention=None) == ([], 0)


def test_faces_that_can_not_be_stored_leave_nothing_behind(index: Gallery, faces: Faces) -> None:
    with pytest.raises(GalleryError, match="unit length"):
        index.index.store([photo("a.jpg", faces(0)), photo("b.jpg", [2 * faces(0)[0]])], retention=None)
    assert index.index.size() == (0, 0)


def test_paths_may_be_long_and_not_utf_8(index: Gallery, faces: Faces) -> None:
    names = ["é.jpg", "caf\udce9.jpg", "a'b\"c%s.jpg", "/".join(["d" * 200] * 19) + "/x.jpg"]
    index.index.store(
        [photo(name, [vector]) for name, vector in zip(names, faces(0, 4), strict=True)], retention=None
    )
    [group] = index.index.groups()
    assert set(group.photos) == {ROOT / name for name in names}
    index.index.name_group(group.id, "Bea")
    assert len(index.index.photos_of("Bea")) == 4


def test_another_model_empties_the_index(folder: Path, faces: Faces) -> None:
    with Gallery.open(folder, RECORD) as gallery:
        gallery.enroll("Ann", [Sample(faces(0)[0], kept=b"png")])
        fill(gallery, faces)
        other = ModelRecord("b2" * 32, 8, RECORD.statistics)
        gallery.rebuild(other, lambda crops: np.eye(8, dtype=np.float32)[: len(crops)])
        assert gallery.index.size() == (0, 0)
        gallery.index.store([photo("a.jpg", [np.eye(8, dtype=np.float32)[0]])], retention=None)
        [[face, match]] = gallery.index.photos_of("Ann")
        assert (face.photo, match.similarity) == (ROOT / "a.jpg", 1)
        storage = "SELECT attstorage, attstattarget FROM pg_attribute WHERE attrelid = 'indexed_face'::regclass"
        rows = gallery._database.run(
            lambda connection: connection.execute(storage + " AND attname = 'vector'").fetchall()
        )
        assert rows == [(b"p", 0)] or rows == [("p", 0)]
    assert isinstance(match.person, UUID)


def test_an_index_of_an_older_model_is_not_added_to(folder: Path, faces: Faces) -> None:
    with Gallery.open(folder, RECORD) as first, Gallery.open(folder, RECORD) as second:
        first.enroll("Ann", [Sample(faces(0)[0], kept=b"png")])
        first.rebuild(ModelRecord("b2" * 32, DIM), lambda crops: np.eye(DIM, dtype=np.float32)[: len(crops)])
        for use in (
            lambda: second.index.store([photo("a.jpg", faces(0))], retention=None),
            lambda: second.index.photos_of("Ann"),
            lambda: second.index.questions(),
        ):
            with pytest.raises(GalleryError, match="the gallery is now of model"):
                use()
