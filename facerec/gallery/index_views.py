"""Who is on the indexed photos: decided when it is asked, so whoever is enrolled today is found at once."""

from collections.abc import Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.errors import GalleryError, UnknownGroupError, UnknownSampleError
from facerec.gallery import index_tables, people
from facerec.gallery.database import Database
from facerec.gallery.decision import Per, comparisons, decide
from facerec.gallery.grouping import group_faces
from facerec.gallery.index_records import FaceGroup, FaceMatch, IndexedFace, group_id
from facerec.gallery.index_tables import StoredFaces
from facerec.gallery.nearest import nearest_samples
from facerec.gallery.records import DecisionRule, Match, Sample
from facerec.gallery.vectors import check_model
from facerec.models.record import ModelRecord

GROUP_FAR = 0.2  # see docs/gallery.md for what was measured
_SHORTEST_ID = 4


class IndexViews:
    """The questions that an index answers: `PhotoIndex` has them.

    `far`, `per` and `threshold` are those of `Gallery.identify`; every method raises GalleryError as that does.
    """

    def __init__(self, database: Database, model: ModelRecord) -> None:
        self._database, self._model = database, model

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

        Nothing is asked about persons who are ignored.

        Args:
            limit: how many at most.
            far, per, threshold: as in `photos_of`.
        """

        def work(connection: Connection[Any]) -> list[FaceMatch]:
            check_model(connection, self._model.fingerprint)
            rule = self._rule(connection, far, per, threshold)
            faces = index_tables.read_faces(connection)
            enrolled = {crop for (crop,) in connection.execute("SELECT crop FROM sample")}
            statement = "SELECT id, name FROM person WHERE NOT ignored"
            names: dict[UUID | None, str] = dict(connection.execute(statement).fetchall())
            nearest, similarities = nearest_samples(connection, faces.vectors)
            questions = (
                FaceMatch(faces.faces[row], self._match(person, names[person], float(similarities[row]), rule))
                for row in np.argsort(abs(similarities - rule.threshold), kind="stable").tolist()
                if (person := nearest[row]) in names and faces.faces[row].crop not in enrolled
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
        size = self._database.run(index_tables.index_size)
        # not the unknown ones: groups would change whenever another is named
        alike = decide(self._model.statistics, size.faces, far=group_far, threshold=threshold).threshold
        photos = np.unique([str(photo) for photo, _ in faces.keys], return_inverse=True)[1]
        labels = group_faces(faces.vectors, photos, alike)
        order = np.argsort(labels, kind="stable")
        groups = [
            _group([faces.faces[row] for row in rows], faces.vectors[rows])
            for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
            if len(rows) >= max(least, 1)
        ]
        return sorted(groups, key=lambda group: (-len(group.faces), group.id))

    def group(
        self,
        group: str,
        *,
        far: float = 0.01,
        per: Per = "search",
        threshold: float | None = None,
        group_far: float = GROUP_FAR,
    ) -> FaceGroup:
        """The group with this id, as `groups` lists it, or with an id that begins so.

        Args:
            group: four digits at least. A group that was changed has another id.
            far, per, threshold, group_far: with which the groups were listed.

        Raises:
            GalleryError: no group has that id, or several.
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
        return meant[0]

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
