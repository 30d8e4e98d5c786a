"""The index: which faces are in which photos, whoever they are."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import Connection

from facerec.gallery import index_tables
from facerec.gallery.database import Database
from facerec.gallery.decision import Per, decide
from facerec.gallery.erasure import clean_files, transaction_number
from facerec.gallery.index_records import FileState, IndexedPhoto, IndexSize, photo_id
from facerec.gallery.index_views import GROUP_FAR, IndexViews
from facerec.gallery.records import Enrolled
from facerec.gallery.vectors import check_model, check_vectors
from facerec.models.record import ModelRecord

Enrol = Callable[..., Enrolled]  # Gallery.enroll


class PhotoIndex(IndexViews):
    """The index of a gallery: `Gallery.index`. Empty until somebody stores photos.

    `far`, `per` and `threshold` are those of `Gallery.identify`; every method raises GalleryError as that does.
    """

    def __init__(self, database: Database, model: ModelRecord, enrol: Enrol) -> None:
        super().__init__(database, model)
        self._enrol = enrol

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
            GalleryError: as `group` and `Gallery.enroll`.
        """
        named = self.group(group, far=far, per=per, threshold=threshold, group_far=group_far)
        return self._enrol(name, named.samples(), new=new)

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
