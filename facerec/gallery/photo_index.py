"""The index: which faces are in which photos, whoever they are; who they are is decided when it is asked."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.errors import GalleryError, UnknownGroupError, UnknownSampleError
from facerec.gallery import index_tables, people
from facerec.gallery.database import Database
from facerec.gallery.decision import Per, comparisons, decide
from facerec.gallery.erasure import clean_files, transaction_number
from facerec.gallery.grouping import group_faces
from facerec.gallery.index_records import (
    FaceGroup,
    FaceMatch,
    FileState,
    IndexedFace,
    IndexedPhoto,
    IndexSize,
    group_id,
    photo_id,
)
from facerec.gallery.index_tables import StoredFaces
from facerec.gallery.nearest import nearest_samples
from facerec.gallery.records import DecisionRule, Enrolled, Match, Sample
from facerec.gallery.vectors import check_model, check_vectors
from facerec.models.record import ModelRecord

GROUP_FAR = 0.2  # see docs/gallery.md for what was measured
_SHORTEST_ID = 4
Enrol = Callable[..., Enrolled]  # Gallery.enroll


class PhotoIndex:
    """The index of a gallery: `Gallery.index`. Empty until somebody stores photos.

    `far`, `per` and `threshold` are those of `Gallery.identify`; every method raises GalleryError as that does.
    """

    def __init__(self, database: Database, model: ModelRecord, enrol: Enrol) -> None:
        self._database, self._model, self._enrol = database, model, enrol

    def size(self) -> IndexSize:
        """How many photos and faces are indexed."""
        return self._database.run(index_tables.index_size)

    def prepare(
        self,
        root: Path,
        files: Mapping[Path, FileState],
        *,
        retention: timedelta | None,
        far: float = 0.01,
        threshold: float | None = None,
    ) -> tuple[list[Path], int]:
        """Forget the photos that are gone, and tell which are new or changed.

        Args:
            root: a folder, or a photo; absolute.
            files: all photos at or below it, and their state.
            retention: unnamed faces of all these photos expire so long after they were read; None: never.
            far, threshold: whoever is erased takes the faces along that one comparison finds so alike.

        Returns:
            The photos to read, and how many were forgotten.
        """
        alike = decide(self._model.statistics, 1, far=far, per="pair", threshold=threshold).threshold
        ids = {photo_id(file): file for file in files}

        def work(connection: Connection[Any]) -> tuple[list[Path], int]:
            index_tables.set_threshold(connection, alike)
            known = index_tables.read_states(connection, root)
            gone = [photo for photo, (_, below) in known.items() if below and photo not in ids]
            forgotten = index_tables.delete_photos(connection, gone)
            index_tables.keep_for(connection, root, retention)
            states = {photo: state for photo, (state, _) in known.items()}
            return [file for photo, file in ids.items() if states.get(photo) != files[file]], forgotten

        return self._database.run(work)

    def store(self, photos: Sequence[IndexedPhoto], *, retention: timedelta | None) -> None:
        """Remember photos and their faces, in place of what was known of them, in one transaction.

        Raises:
            GalleryError: a vector is not of the gallery's model.
        """
        for photo in photos:
            if photo.faces:
                check_vectors(np.stack([face.vector for face in photo.faces]), self._model)

        def work(connection: Connection[Any]) -> None:
            check_model(connection, self._model.fingerprint, lock=True)
            index_tables.store_photos(connection, photos, retention)

        self._database.run(work)

    def problems(self, root: Path) -> list[tuple[Path, str]]:
        """The photos at or below `root` that can't be read, and why."""
        return self._database.run(lambda connection: index_tables.read_problems(connection, root))

    def photos_of(
        self, name: str | UUID, *, far: float = 0.01, per: Per = "search", threshold: float | None = None
    ) -> list[FaceMatch]:
        """The faces whose nearest enrolled person is this one, if near enough; nearest first.

        Raises:
            GalleryError: nobody has that name or id.
        """

        def work(connection: Connection[Any]) -> list[FaceMatch]:
            check_model(connection, self._model.fingerprint)
            person, _ = people.read_person(connection, name)
            rule = self._rule(connection, far, per, threshold)
            faces = index_tables.read_faces_like(connection, person.id, rule.threshold)
            nearest, similarities = nearest_samples(connection, faces.vectors)
            candidates = zip(faces.faces, nearest, similarities.tolist(), strict=True)
            return [
                FaceMatch(face, self._match(person.id, person.name, similarity, rule))
                for face, other, similarity in candidates
                if other == person.id
            ]

        return sorted(self._database.run(work), key=lambda shown: -shown.match.similarity)

    def face(self, crop: str) -> tuple[IndexedFace, Sample]:
        """An indexed face by the SHA-256 of its crop, in hex; where it is, and to enrol or deny.

        Raises:
            UnknownSampleError: there is none.
        """
        faces = self._database.run(lambda connection: index_tables.read_faces_of(connection, bytes.fromhex(crop)))
        if not faces.keys:
            raise UnknownSampleError(f"no indexed face has the crop {crop[:12]}; index the photos again")
        face = faces.faces[0]
        return face, Sample(faces.vectors[0], face.photo.name, face.crop, face.box, face.score)

    def questions(
        self, limit: int = 100, *, far: float = 0.01, per: Per = "search", threshold: float | None = None
    ) -> list[FaceMatch]:
        """ "Is this Ann?": faces and their nearest person, the most doubtful first, whether accepted or not.

        Args:
            limit: how many at most.
            far, per, threshold: as in `photos_of`.
        """

        def work(connection: Connection[Any]) -> list[FaceMatch]:
            check_model(connection, self._model.fingerprint)
            rule = self._rule(connection, far, per, threshold)
            faces = index_tables.read_faces(connection)
            enrolled = {crop for (crop,) in connection.execute("SELECT crop FROM sample")}
            names: dict[UUID | None, str] = dict(connection.execute("SELECT id, name FROM person").fetchall())
            nearest, similarities = nearest_samples(connection, faces.vectors)
            questions = (
                FaceMatch(faces.faces[row], self._match(person, names[person], float(similarities[row]), rule))
                for row in np.argsort(abs(similarities - rule.threshold), kind="stable").tolist()
                if (person := nearest[row]) is not None and faces.faces[row].crop not in enrolled
            )
            return list(islice(questions, limit))

        return self._database.run(work)

    def groups(
        self,
        *,
        far: float = 0.01,
        per: Per = "search",
        threshold: float | None = None,
        group_far: float = GROUP_FAR,
        least: int = 2,
    ) -> list[FaceGroup]:
        """The faces for whom nobody enrolled answers, grouped by person; the largest group first.

        Args:
            far, per, threshold: as in `photos_of`.
            group_far: how often a face may find a stranger's alike among all that are indexed. The threshold that
                holds it is what the mean similarity of two groups must reach to be one; `threshold` replaces it.
            least: groups of fewer faces are left out.
        """
        faces = self._database.run(lambda connection: self._unnamed(connection, far, per, threshold))
        # not the unknown ones: groups would change whenever another is named
        alike = decide(self._model.statistics, self.size().faces, far=group_far, threshold=threshold).threshold
        photos = np.unique([str(photo) for photo, _ in faces.keys], return_inverse=True)[1]
        labels = group_faces(faces.vectors, photos, alike)
        order = np.argsort(labels, kind="stable")
        groups = [
            _group([faces.faces[row] for row in rows], faces.vectors[rows])
            for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
            if len(rows) >= max(least, 1)
        ]
        return sorted(groups, key=lambda group: (-len(group.faces), group.id))

    def name_group(
        self,
        group: str,
        name: str | UUID,
        *,
        new: bool = False,
        far: float = 0.01,
        per: Per = "search",
        threshold: float | None = None,
        group_far: float = GROUP_FAR,
    ) -> Enrolled:
        """Enrol the faces of a group as samples of a person, in one transaction.

        Args:
            group: its id or the first digits of it, four at least. A group that was changed has another.
            name: of the person, new or not; or their id.
            new: create a person even if somebody has that name.
            far, per, threshold, group_far: with which the groups were listed.

        Raises:
            GalleryError: no group has that id, or several; or as `Gallery.enroll`.
        """
        if len(group) < _SHORTEST_ID:
            raise GalleryError(f"group {group}: give at least {_SHORTEST_ID} digits of its id")
        listed = self.groups(far=far, per=per, threshold=threshold, group_far=group_far, least=1)
        meant = [listed_group for listed_group in listed if listed_group.id.startswith(group.lower())]
        if not meant:
            raise UnknownGroupError(
                f"group {group}: there is none; if faces came or went since it was listed, it has another id: "
                "list the groups again"
            )
        if len(meant) > 1:
            raise GalleryError(
                f"group {group}: could be {' or '.join(each.id for each in meant)}; give more digits"
            )
        return self._enrol(name, meant[0].samples(), new=new)

    def expire(self, *, far: float = 0.01, per: Per = "search", threshold: float | None = None) -> int:
        """Erase the faces whose time is up, unless somebody enrolled answers for them; returns how many.

        What an earlier call deleted is wiped from the server's files, too, if that call could not.
        """

        def work(connection: Connection[Any]) -> int:
            check_model(connection, self._model.fingerprint)
            faces = self._unnamed(connection, far, per, threshold, due=True)
            index_tables.delete_faces(connection, faces.keys)
            return len(faces.keys)

        expired = self._database.run(work)
        self.wipe()
        return expired

    def forget(self, root: Path | None = None) -> int:
        """Erase all that is indexed, or what is of photos at or below `root`; returns how many photos."""

        def work(connection: Connection[Any]) -> int:
            return index_tables.delete_below(connection, root) if root else index_tables.delete_all(connection)

        photos = self._database.run(work)
        self.wipe()
        return photos

    def wipe(self) -> None:
        """Clean the server's files of deleted rows, as `Gallery.erase` does, if they may hold any.

        Raises:
            GalleryError: they could not be cleaned; the next call tries again.
        """

        def work(connection: Connection[Any]) -> tuple[list[UUID], int]:
            deletions = [row[0] for row in connection.execute("SELECT id FROM unwiped")]
            return deletions, transaction_number(connection) if deletions else 0

        deletions, transaction = self._database.run(work)
        if deletions:
            clean_files(self._database, transaction)
            self._database.run(
                lambda connection: connection.execute("DELETE FROM unwiped WHERE id = ANY(%s)", [deletions])
            )

    def _rule(self, connection: Connection[Any], far: float, per: Per, threshold: float | None) -> DecisionRule:
        statistics, sizes = self._model.statistics, people.count_samples(connection)
        worth, persons = comparisons(statistics, sizes), sum(sizes.values())
        return decide(statistics, persons, comparisons=worth, far=far, per=per, threshold=threshold)

    def _match(self, person: UUID, name: str, similarity: float, rule: DecisionRule) -> Match:
        probability = self._model.statistics.probability(similarity)
        return Match(person, name, similarity, probability, similarity >= rule.threshold)

    def _unnamed(
        self, connection: Connection[Any], far: float, per: Per, threshold: float | None, *, due: bool = False
    ) -> StoredFaces:
        """The faces for whom nobody answers; of those whose time is up, if `due`."""
        rule = self._rule(connection, far, per, threshold)
        faces = index_tables.read_faces(connection, due=due)
        _, similarities = nearest_samples(connection, faces.vectors)
        return faces.rows(np.flatnonzero(similarities < rule.threshold))


def _group(faces: Sequence[IndexedFace], vectors: NDArray[np.float32]) -> FaceGroup:
    order = np.argsort(-(vectors @ vectors.mean(0)), kind="stable")
    return FaceGroup(group_id([face.crop for face in faces]), [faces[row] for row in order], vectors[order])
