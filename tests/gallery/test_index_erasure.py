"""What the index holds of somebody is erased with them: the files of the server are read byte by byte."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facerec.errors import GalleryError
from facerec.gallery import Gallery, Sample, photo_index
from facerec.gallery.index_records import FileState
from tests.gallery.conftest import RECORD
from tests.gallery.test_erasure import holding
from tests.gallery.test_photo_index import ROOT, STATE, fill, photo

Faces = Callable[..., NDArray[np.float32]]
pytestmark = pytest.mark.server


def traces(vectors: NDArray[np.float32], *texts: str) -> dict[str, bytes]:
    """Texts, and of each vector eight numbers from its middle and the hash of its crop."""
    parts = {f"vector {row}": vector[12:20].tobytes() for row, vector in enumerate(vectors)}
    crops = {f"crop {row}": Sample(vector).digest() for row, vector in enumerate(vectors)}
    return {**parts, **crops, **{text: text.encode() for text in texts}}


def found_in(gallery: Gallery, folder: Path, secrets: dict[str, bytes]) -> set[str]:
    gallery._database.run_outside_transaction("ANALYZE", "CHECKPOINT")
    return {what for what, _ in holding(folder, secrets)}


def test_whoever_is_erased_leaves_no_face_in_the_index(folder: Path, faces: Faces) -> None:
    """Also those that are alike without having been named, and the paths of photos that show nobody else."""
    with Gallery.open(folder, RECORD) as gallery:
        states = dict.fromkeys(fill(gallery, faces, people=20), STATE)
        vectors, other = faces(1000, 30), faces(0, 5)[4]
        alone = [photo(f"of-wilhelmina-{row}.jpg", [vector]) for row, vector in enumerate(vectors[:20])]
        gallery.index.store([*alone, photo("of-both.jpg", [vectors[20], other])], retention=None)
        states |= {one.path: STATE for one in (*alone, photo("of-both.jpg", []))}
        gallery.index.prepare(ROOT, states, retention=None, far=0.01)
        gallery.enroll("Bob", [Sample(faces(0, 6)[5])])
        gallery.enroll("Wilhelmina", [Sample(vector, "x.jpg") for vector in vectors[18:]])
        secrets = traces(vectors[:21], "of-wilhelmina")
        assert found_in(gallery, folder, secrets) == secrets.keys()
        assert found_in(gallery, folder, traces(other[None], "of-both")) == traces(other[None], "of-both").keys()
        size = gallery.index.size()
        gallery.erase("Wilhelmina")
        assert holding(folder, secrets) == set()
        assert gallery.index.size() == (size.photos, size.faces - 21)
        assert [face.photo for face, _ in gallery.index.photos_of("Bob")].count(ROOT / "of-both.jpg") == 1
        assert gallery.index.prepare(ROOT, states, retention=None) == ([], 0)  # so they don't come back
    assert holding(folder, secrets) == set()


def test_a_face_nearer_to_somebody_else_stays(folder: Path, faces: Faces) -> None:
    with Gallery.open(folder, RECORD) as gallery:
        ann, bea, between = faces(0, 3)
        gallery.enroll("Ann", [Sample(ann)])
        gallery.enroll("Bea", [Sample(bea)])
        nearer, farther = sorted(("Ann", "Bea"), key=lambda name: float((ann if name == "Bea" else bea) @ between))
        gallery.index.prepare(ROOT, {ROOT / "a.jpg": STATE}, retention=None, threshold=0.1)
        gallery.index.store([photo("a.jpg", [between])], retention=None)
        gallery.erase(farther)
        assert gallery.index.size().faces == 1
        gallery.erase(nearer)
        assert gallery.index.size().faces == 0


def test_what_expires_is_gone_deleted_or_forgotten_is_in_no_file(folder: Path, faces: Faces) -> None:
    with Gallery.open(folder, RECORD) as gallery:
        vectors = faces(1000, 40)
        photos = [photo(f"secret-{row:02}.jpg", [vector]) for row, vector in enumerate(vectors)]
        kept = [photo(f"kept-{row:02}.jpg", [vector]) for row, vector in enumerate(faces(1, 40))]

        secrets = traces(vectors, "secret-")

        gallery.index.store([*photos, *kept], retention=None)
        assert found_in(gallery, folder, secrets) == secrets.keys()
        gallery.index.prepare(ROOT, {one.path: STATE for one in kept}, retention=None)  # deleted from the disk
        gallery.index.wipe()
        assert holding(folder, secrets) == set()
        assert gallery.index.size() == (40, 40)

        gallery.index.store(photos, retention=timedelta(0))
        assert found_in(gallery, folder, secrets) == secrets.keys()
        assert gallery.index.expire() == 40
        assert holding(folder, secrets) == set()
        assert gallery.index.size() == (80, 40)

        gallery.index.store(photos, retention=None)
        changed = [photo(one.path.name, faces(2), FileState(7, 7)) for one in photos]
        gallery.index.store(changed, retention=None)
        gallery.index.wipe()
        assert found_in(gallery, folder, traces(vectors)) == set()

        gallery.index.store(photos, retention=None)
        assert gallery.index.forget() == 80
        assert holding(folder, secrets) == set()
        assert gallery.index.size() == (0, 0)


def test_what_could_not_be_wiped_is_wiped_the_next_time(
    folder: Path, faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gallery.open(folder, RECORD) as gallery:
        vectors = faces(1000, 5)
        gallery.index.store([photo(f"{row}.jpg", [vector]) for row, vector in enumerate(vectors)], retention=None)
        secrets = traces(vectors)
        assert found_in(gallery, folder, secrets) == secrets.keys()

        def killed(*_: object) -> bool:
            raise GalleryError("the process was killed")

        monkeypatch.setattr(photo_index, "clean_files", killed)
        with pytest.raises(GalleryError, match="killed"):
            gallery.index.forget()
        monkeypatch.undo()
        assert holding(folder, secrets) != set()
        gallery.index.expire()
        assert holding(folder, secrets) == set()
        monkeypatch.setattr(photo_index, "clean_files", killed)
        gallery.index.expire()  # there is nothing left to clean
