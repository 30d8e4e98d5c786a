"""The gallery: open it, enrol persons, erase them, and move it; its `corrections` put mistakes right."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4
from weakref import finalize

import numpy as np
from psycopg import Connection

from facerec.errors import GalleryError
from facerec.gallery import backup, enrolment, erasure, people, transfer
from facerec.gallery.corrections import Corrections
from facerec.gallery.database import Database, without_password
from facerec.gallery.migrations import migrate
from facerec.gallery.names import clean_name, printable
from facerec.gallery.opening import close_databases, open_database, open_record
from facerec.gallery.photo_index import PhotoIndex
from facerec.gallery.rebuild import EmbedPngs, rebuild
from facerec.gallery.records import (
    Enrolled,
    Erasure,
    Sample,
)
from facerec.gallery.searches import Searches
from facerec.gallery.vectors import check_vectors
from facerec.models.record import ModelRecord
from facerec.models.statistics import Statistics

if TYPE_CHECKING:
    from facerec.gallery.server import Server
    from facerec.models import Model

UNDO_DAYS = 7.0  # for which a correction can be undone


class Gallery(Searches):
    """The persons enrolled with one model. Safe for any number of threads.

    Open one with `Gallery.open`, and close it, or use it in a `with` statement.

    A person is given by name, by id, or by the first 8 characters of the id or more. Two persons may have one name;
    where that leaves open who is meant, `AmbiguousNameError` lists their ids.

    Attributes:
        place: the folder or URL.
        model: whose vectors it holds.
        corrections: rename, merge, move, delete, deny, ignore and undo.
    """

    def __init__(
        self,
        database: Database,
        reader: Database,
        model: ModelRecord,
        server: "Server | None" = None,
        undo_days: float = UNDO_DAYS,
    ) -> None:
        super().__init__(database, reader, model)
        self.place = database.name
        self.corrections = Corrections(database, undo_days, self._forget_size)
        # also at the end of the process, and when the gallery is garbage
        self._close = finalize(self, close_databases, server, reader, database)

    @classmethod
    def open(
        cls,
        place: str | Path,
        model: "str | Path | Model | ModelRecord | None" = None,
        *,
        make: bool = True,
        read_url: str | None = None,
        undo_days: float = UNDO_DAYS,
    ) -> "Gallery":
        """Open the gallery at `place`, and wipe what can't be undone any more.

        Args:
            place: a folder, which this process then serves with a PostgreSQL of its own; or the URL of a
                PostgreSQL with pgvector, `postgresql://…`, of which the gallery takes one database.
            model: whose vectors the gallery holds: open, its record, or its path (see `open_model`). None
                is enough to manage an existing gallery.
            make: a new gallery if there is none, which needs `model` and is logged.
            read_url: a replica of the server for searches; it may lag behind.
            undo_days: for which a correction can be undone; 0: not at all.

        Raises:
            GalleryError: there is no gallery, it is of another model, or it can't be reached or written. If no
                gallery may be made, nothing is left behind.
            ModelError: there is no model at that path.
        """
        record = open_record(model)
        make = make and record is not None
        database, server = open_database(place, make=make)
        try:
            fingerprint, dim = migrate(database, record, make=make)
            erasure.wipe_expired(database)
            reader = Database(read_url, without_password(read_url)) if read_url else database
            statistics = record.statistics if record else Statistics()
            return cls(database, reader, ModelRecord(fingerprint, dim, statistics), server, undo_days)
        except BaseException:
            close_databases(server, database)
            raise

    def enroll(
        self, who: str | UUID, samples: Sequence[Sample], *, note: str | None = None, new: bool = False
    ) -> Enrolled:
        """Add samples to a person, who is created if nobody has that name.

        All in one transaction: when it returns, the samples are on disk. A sample that the person already has, by
        the SHA-256 of its crop, is not added again.

        Args:
            who: name or id of the person.
            samples: of the gallery's model, one at least.
            note: replaces the person's; None leaves it.
            new: create a person even if somebody has that name.

        Raises:
            GalleryError: a vector is not of this model or not of unit length, a crop is enrolled as somebody
                else, the name is not valid or that of several persons, or the server refuses; nothing is changed
                then.
        """
        who = who if isinstance(who, UUID) else clean_name(who)
        if not samples:
            raise GalleryError(f"{who}: there is no sample to enrol")
        vectors = check_vectors(np.stack([sample.vector for sample in samples]), self.model)
        samples = [
            sample._replace(vector=vector, source=printable(sample.source))
            for sample, vector in zip(samples, vectors, strict=True)
        ]
        model, new_id = self.model.fingerprint, uuid4()

        def add(connection: Connection[Any]) -> tuple[UUID, int, list[float], list[str]]:
            person, added, earlier = enrolment.add_samples(connection, model, who, note, samples, new_id, new=new)
            similar = people.similar_names(connection, str(who)) if person == new_id else []
            return person, added, earlier, similar

        person, added, earlier, similar = self._database.run(add)
        self._forget_size()
        limit = self._pair_threshold()
        unlike = 0 if limit is None else sum(similarity < limit for similarity in earlier)
        return Enrolled(self.show(person)[0], added, len(samples) - added, unlike, tuple(similar))

    def erase(self, *names: str | UUID) -> Erasure:
        """Erase persons, by name or id, with their samples and everything else the server's files hold of them.

        That includes what undo holds of them, and faces like theirs that are denied of others. Searches wait
        meanwhile. Without names it only cleans the files, in case an earlier call could not.

        Raises:
            GalleryError: nobody has one of the names, and then nobody is erased; or the files could not be cleaned.
        """
        result = erasure.erase(self._database, names, self._pair_threshold())
        self._forget_size()
        return result

    def export(self, file: str | Path) -> int:
        """Write everything to one file of JSON lines; returns the number of samples.

        The file holds the vectors: whoever has it can recognise these persons.

        Raises:
            GalleryError: the file can't be written.
        """
        return self._database.run(lambda connection: transfer.export(connection, Path(file), self.model))

    def load(self, file: str | Path) -> int:
        """Enrol what `export` wrote, one transaction for each person; returns the number of new samples.

        Samples that are enrolled already are skipped, so it can be repeated after it was stopped.

        Raises:
            GalleryError: the file is missing, damaged or of another model, a crop is enrolled as somebody else, or
                a name is not valid or that of several persons here.
        """
        new = 0
        for entry in transfer.read(Path(file), self.model.fingerprint):
            try:
                new += self._database.run(partial(transfer.load_person, model=self.model, entry=entry))
            except GalleryError as error:
                raise type(error)(
                    f"{file}: {printable(entry.name)}: {error}; {new} samples of the persons before are enrolled"
                ) from error
            self._forget_size()
        return new

    def backup(self, file: str | Path) -> None:
        """Write the whole gallery to one file, as it is at one moment, while others use it; see `backup.restore`.

        The file holds the vectors: whoever has it can recognise these persons.

        Raises:
            GalleryError: the file can't be written, or the server is newer than the wheel's `pg_dump`.
        """
        backup.back_up(self._database, Path(file))

    def rebuild(self, model: ModelRecord, embed: EmbedPngs) -> int:
        """Move the gallery to another model by embedding the kept crops again; returns the number of samples.

        The index of photos is emptied.

        In one transaction, so the gallery is always entirely of one model; searches wait meanwhile.

        Args:
            model: the new one.
            embed: turns PNG files of crops into unit vectors `float32 [N, d]`.

        Raises:
            GalleryError: a sample was enrolled without keeping its crop; nothing is changed then.
        """
        count = self._database.run(lambda connection: rebuild(connection, model, embed))
        self.model = model
        return count

    @property
    def index(self) -> PhotoIndex:
        """What is remembered of photos; nothing, unless somebody indexed them."""
        return PhotoIndex(self._database, self.model, self.enroll)

    def close(self) -> None:
        """Close the connections; the server of a folder is stopped if no other process uses it."""
        self._close()

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wipe_expired(self) -> bool:
        """Wipe what can't be undone any more, as `erase` does; returns whether there was any.

        Raises:
            GalleryError: the files could not be cleaned.
        """
        return erasure.wipe_expired(self._database)
