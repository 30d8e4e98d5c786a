import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facerec.errors import GalleryError
from facerec.gallery import Enrolled, Gallery, Sample
from facerec.models import ModelRecord
from tests.gallery.conftest import RECORD

Faces = Callable[..., NDArray[np.float32]]
pytestmark = pytest.mark.server


def samples(vectors: NDArray[np.float32]) -> list[Sample]:
    return [Sample(vector, f"photo{number}.jpg") for number, vector in enumerate(vectors)]


def test_finds_the_person_and_says_when_it_is_nobody(gallery: Gallery, faces: Faces) -> None:
    for seed, name in enumerate(["Ann", "Bob", "Cleo"]):
        enrolled = gallery.enroll(name, samples(faces(seed, 4)), note=f"number {seed}")
        assert (enrolled.person.name, enrolled.person.note, enrolled.new, enrolled.known) == (
            name,
            f"number {seed}",
            4,
            0,
        )
    probes = np.concatenate([faces(1, 5)[4:], faces(99)])
    known, stranger = gallery.identify(probes, top=2)
    assert known.person is not None
    assert known.person.name == "Bob"
    assert len(known.matches) == 2
    assert known.matches[0].similarity > known.matches[1].similarity
    assert stranger.person is None
    assert stranger.matches[0].name in {"Ann", "Bob", "Cleo"}
    assert known.person.probability is not None
    assert known.person.probability > 0.5
    assert 1 - (1 - known.rule.far) ** 3 == pytest.approx(known.rule.search_far)  # type: ignore[operator]


def test_the_similarity_is_exact_whichever_way_it_is_found(gallery: Gallery, faces: Faces) -> None:
    stored = {f"p{seed}": faces(seed, 3) for seed in range(150)}
    for name, vectors in stored.items():
        gallery.enroll(name, samples(vectors))
    probes = np.concatenate([faces(seed, 4)[3:] for seed in range(0, 150, 10)])
    for exact in (True, False):
        for probe, answer in zip(probes, gallery.identify(probes, threshold=0.5, exact=exact), strict=True):
            best = {name: float((vectors @ probe).max()) for name, vectors in stored.items()}
            name = max(best, key=best.__getitem__)
            assert answer.matches[0].name == name
            assert answer.matches[0].similarity == pytest.approx(best[name], abs=1e-6)


def test_the_same_crop_twice_is_one_sample(gallery: Gallery, faces: Faces) -> None:
    vectors = faces(0, 3)
    gallery.enroll("Ann", samples(vectors[:2]))
    again = gallery.enroll("Ann", samples(vectors))
    assert (again.new, again.known, again.person.samples) == (1, 2, 3)
    with pytest.raises(GalleryError, match=r"Bob: the same crop is enrolled as Ann \(from photo0.jpg\)"):
        gallery.enroll("Bob", [*samples(faces(1)), *samples(vectors[:1])])
    assert [person.name for person in gallery.persons()] == ["Ann"]


def test_what_is_shown_of_a_person(gallery: Gallery, faces: Faces) -> None:
    gallery.enroll("Ann", [Sample(faces(0)[0], "a.jpg", b"\1" * 32, (1, 2, 30.5, 40), 0.75)])
    person, [sample] = gallery.show("Ann")
    assert (person.name, person.samples) == ("Ann", 1)
    assert (sample.crop, sample.source, sample.box, sample.score) == ("01" * 32, "a.jpg", (1, 2, 30.5, 40), 0.75)
    with pytest.raises(GalleryError, match="Bob: nobody of that name"):
        gallery.show("Bob")


def test_rename_and_merge(gallery: Gallery, faces: Faces) -> None:
    gallery.enroll("Ann", samples(faces(0, 2)), note="kept")
    gallery.enroll("Bob", samples(faces(1, 3)))
    gallery.corrections.rename("Ann", "Anna")
    assert [(person.name, person.note) for person in gallery.persons()] == [("Anna", "kept"), ("Bob", "")]
    assert gallery.corrections.merge("Bob", "Anna").person.samples == 5
    assert gallery.size() == (1, 5)
    for exact in (True, False):
        [answer] = gallery.identify(faces(1, 4)[3:], exact=exact)
        assert answer.person is not None
        assert answer.person.name == "Anna"
    with pytest.raises(GalleryError, match="themselves"):
        gallery.corrections.merge("Anna", "Anna")


def test_events_tell_who_did_what_without_names(gallery: Gallery, faces: Faces) -> None:
    person = gallery.enroll("Ann", samples(faces(0, 2))).person
    gallery.erase("Ann")
    events = gallery.events()
    assert [(event.action, event.person, event.samples) for event in events[:2]] == [
        ("erase", person.id, 2),
        ("enroll", person.id, 2),
    ]
    assert "@" in events[0].actor


def test_export_and_import(gallery: Gallery, faces: Faces, tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    gallery.enroll("Ann", [Sample(faces(0)[0], "a.jpg", b"\1" * 32, (1, 2, 3, 4), 0.5)], note="n")
    gallery.enroll("Bob", samples(faces(1, 3)))
    before = [gallery.show(name)[1] for name in ("Ann", "Bob")]
    assert gallery.export(file) == 4
    assert gallery.load(file) == 0
    gallery.erase("Ann", "Bob")
    assert gallery.load(file) == 4
    after = [gallery.show(name)[1] for name in ("Ann", "Bob")]
    assert [sorted(sample[:4] for sample in samples) for samples in after] == [
        sorted(sample[:4] for sample in samples) for samples in before
    ]
    assert gallery.show("Ann")[0].note == "n"
    text = file.read_text()
    file.write_text(text.replace("a1" * 32, "b2" * 32))
    with pytest.raises(GalleryError, match=f"(?s){'b2' * 32}.*{'a1' * 32}"):
        gallery.load(file)
    file.write_text(text.replace('"Bob"', '"B\\nob"'))
    gallery.erase("Ann", "Bob")
    with pytest.raises(GalleryError, match=r"B\ufffdob: a person's name must not contain a line break"):
        gallery.load(file)
    file.write_text(text[:-40])
    with pytest.raises(GalleryError, match="damaged"):
        gallery.load(file)


@pytest.mark.parametrize("value", [0, np.nan])
def test_a_rebuild_without_usable_vectors_changes_nothing(gallery: Gallery, faces: Faces, value: float) -> None:
    gallery.enroll("Ann", [Sample(faces(0)[0], "a.jpg", kept=b"png")])
    other = ModelRecord("b2" * 32, 2)
    with pytest.raises(GalleryError, match="no usable vector for a crop of Ann; nothing was changed"):
        gallery.rebuild(other, lambda crops: np.full((len(crops), 2), value, np.float32))
    [answer] = gallery.identify(faces(0))
    assert answer.person is not None
    assert answer.person.name == "Ann"


def test_vectors_of_another_model_are_refused(gallery: Gallery, faces: Faces) -> None:
    with pytest.raises(GalleryError, match=f"(?s){'a1' * 32}.*{'b2' * 32}"):
        Gallery.open(gallery.place, ModelRecord("b2" * 32, gallery.model.dim))
    with pytest.raises(GalleryError, match=r"\[N, 32\], of model a1a1"):
        gallery.identify(np.ones((1, 31), np.float32))
    for bad in (2 * faces(0), np.nan * faces(0)):
        with pytest.raises(GalleryError, match="unit length"):
            gallery.enroll("Ann", samples(bad))
    assert gallery.size() == (0, 0)


def test_what_cannot_be_a_name(gallery: Gallery, faces: Faces) -> None:
    for name in ("", "  ", "a\nb", "a\0b"):
        with pytest.raises(GalleryError, match="name"):
            gallery.enroll(name, samples(faces(0)))
    assert gallery.enroll(" Zoë O'Neil ", samples(faces(0))).person.name == "Zoë O'Neil"


def test_a_name_is_one_however_it_is_typed(gallery: Gallery, faces: Faces) -> None:
    gallery.enroll("Jose\u0301", samples(faces(0)))
    again = gallery.enroll(" José\u3000", samples(faces(0, 2)))
    assert (again.new, again.known, again.person.name) == (1, 1, "José")
    with pytest.raises(GalleryError, match="themselves"):
        gallery.corrections.merge("Jose\u0301", "José")
    gallery.corrections.rename("Jose\u0301", "Zoe\u0308")
    assert gallery.erase("Zoë", "Zoe\u0308").samples == 2


def test_text_that_cannot_be_stored(gallery: Gallery, faces: Faces) -> None:
    gallery.enroll("Ann", [Sample(faces(0)[0], "caf\udce9\0\u202e.jpg")])
    assert gallery.show("Ann")[1][0].source == "caf\ufffd\ufffd\ufffd.jpg"
    for refused in (
        lambda: gallery.corrections.rename("Ann", "Ann", note="\udce9"),
        lambda: gallery.corrections.rename("Ann", "Ann", note="\0"),
        lambda: gallery.enroll("Ann", samples(faces(0)), note="\udce9"),
        lambda: gallery.show("An\udce9"),
        lambda: gallery.erase("Ann\0"),
    ):
        with pytest.raises(GalleryError):
            refused()
    assert gallery.show("Ann")[0].note == ""


def test_signs_of_another_person_before_an_enrolment(gallery: Gallery, faces: Faces) -> None:
    ann, bob = faces(0, 4), faces(1, 4)
    gallery.enroll("Ann", samples(ann[:3]))
    assert gallery.enroll("Bob", samples(bob[:3])).unlike == 0
    probes = np.concatenate([ann[3:], bob[3:], faces(2)])
    same, other, stranger = gallery.check_enrolment(" Ann", probes)
    assert same == (None, None)
    assert other.looks_like is not None
    assert other.looks_like.name == "Bob"
    assert other.unlike == pytest.approx(float((ann[:3] @ bob[3]).max()), abs=1e-6)
    assert stranger.looks_like is None
    assert stranger.unlike is not None
    assert [check.unlike for check in gallery.check_enrolment("Cleo", probes)] == [None] * 3
    # one comparison, so the threshold does not grow with the gallery
    assert gallery.check_enrolment("Ann", ann[3:], far=0.1)[0].unlike is None
    assert gallery.check_enrolment("Ann", ann[3:], threshold=0.999)[0].unlike is not None
    assert gallery.enroll("Ann", samples(probes)).unlike == 2
    assert gallery.enroll("Ann", samples(probes)) == Enrolled(gallery.show("Ann")[0], 0, 3, 0)
    with pytest.raises(GalleryError, match="a line break"):
        gallery.check_enrolment("Ann\n", probes)


def test_an_empty_gallery_knows_nobody(gallery: Gallery, faces: Faces) -> None:
    [answer] = gallery.identify(faces(0))
    assert answer.matches == ()
    assert answer.person is None


def test_opened_without_a_model_it_is_looked_after(gallery: Gallery, folder: Path, faces: Faces) -> None:
    gallery.enroll("Ann", samples(faces(0)))
    with Gallery.open(gallery.place) as again:
        assert [person.name for person in again.persons()] == ["Ann"]
        with pytest.raises(GalleryError, match=r"facerec\.evaluate"):
            again.identify(faces(0))
        assert again.identify(faces(0), threshold=0.5)[0].person is not None
    for model in (None, RECORD):
        with pytest.raises(GalleryError, match=rf"{folder}: there is no gallery; .*facerec\.enroll photos=ALBUM"):
            Gallery.open(folder, model, make=False)
    with pytest.raises(GalleryError, match="there is no gallery"):
        Gallery.open(folder)
    assert not folder.exists()
    with pytest.raises(GalleryError, match="can't use a folder of that name"):
        Gallery.open(folder / os.fsdecode(b"\xff"), RECORD)
