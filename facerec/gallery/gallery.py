"""The gallery: enrol persons, search for them, erase them; its `corrections` put mistakes right."""

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4
from weakref import finalize

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.errors import GalleryError, UnknownPersonError
from facerec.gallery import audit, backup, enrolment, erasure, people, transfer
from facerec.gallery.checkup import Checkup, check_up
from facerec.gallery.contents import Contents, read_contents
from facerec.gallery.corrections import Corrections
from facerec.gallery.database import Database, without_password
from facerec.gallery.decision import Per, answer, comparisons, decide
from facerec.gallery.migrations import migrate
from facerec.gallery.names import clean_name, printable
from facerec.gallery.nearest import EXACT_UP_TO, search_persons
from facerec.gallery.opening import close_databases, open_database, open_record
from facerec.gallery.photo_index import PhotoIndex
from facerec.gallery.rebuild import EmbedPngs, rebuild
from facerec.gallery.records import (
    Answer,
    Enrolled,
    EnrolmentCheck,
    Erasure,
    Event,
    GallerySize,
    Person,
    Sample,
    StoredSample,
)
from facerec.gallery.samples import read_crop
from facerec.gallery.vectors import check_vectors
from facerec.models.record import ModelRecord
from facerec.models.statistics import Statistics

if TYPE_CHECKING:
    from facerec.gallery.server import Server
    from facerec.models import Model

UNDO_DAYS = 7.0  # for which a correction can be undone
_SIZE_AGE = 1.0  # seconds for which the numbers of samples are cached: counting takes as long as a search


class Gallery:
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
        self.place, self.model = database.name, model
        self.corrections = Corrections(database, undo_days, self._forget_size)
        self._database, self._reader = database, reader
        self._size: tuple[float, dict[int, int]] | None = None
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

    @property
    def has_thresholds(self) -> bool:
        """Whether the model was evaluated, so that searches need no `threshold`."""
        return bool(self.model.statistics.thresholds)

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

    def check_enrolment(
        self,
        who: str | UUID,
        vectors: NDArray[np.floating],
        *,
        far: float = 0.01,
        per: Per = "search",
        threshold: float | None = None,
    ) -> list[EnrolmentCheck]:
        """Look for signs that vectors are not of the person they are about to be enrolled as.

        Whether a vector looks like somebody else is a search, decided as in `identify`. Whether it looks like this
        person is one comparison, whose threshold holds `far` by itself.

        Args:
            who: name or id of the person, enrolled or not.
            vectors: `float [N, d]` of unit length, of the gallery's model.
            far: as in `identify`.
            per: as in `identify`.
            threshold: as in `identify`.

        Raises:
            GalleryError: as in `identify`, or the name is not valid or that of several persons.
        """
        who = who if isinstance(who, UUID) else clean_name(who)
        vectors = check_vectors(vectors, self.model)

        def compare(connection: Connection[Any]) -> tuple[UUID | None, list[float]]:
            try:
                person = people.find_person(connection, who)
            except UnknownPersonError:
                return None, []
            return person, enrolment.similarities(connection, person, list(vectors))

        person, similarities = self._database.run(compare)
        limit = decide(self.model.statistics, 1, far=far, per="pair", threshold=threshold).threshold
        unlike = [value if value < limit else None for value in similarities] or [None] * len(vectors)
        answers = self.identify(vectors, top=2, far=far, per=per, threshold=threshold)
        others = [
            next((match for match in answer.matches if match.accepted and match.person != person), None)
            for answer in answers
        ]
        return [EnrolmentCheck(*pair) for pair in zip(others, unlike, strict=True)]

    def identify(
        self,
        vectors: NDArray[np.floating],
        *,
        top: int = 1,
        far: float = 0.01,
        per: Per = "search",
        threshold: float | None = None,
        exact: bool | None = None,
    ) -> list[Answer]:
        """Find the persons nearest to each vector.

        Args:
            vectors: `float [N, d]` of unit length, of the gallery's model.
            top: how many persons to return for each, at most.
            far: false accept rate to hold, above 0 and below 1; see `decision.decide`.
            per: hold it for a whole search, or for one pair.
            threshold: use this similarity instead of holding `far`.
            exact: compare every sample, or the binary codes first (see `nearest.nearest_persons`); None decides
                by the size of the gallery.

        Returns:
            One answer for each vector; without matches while nobody is enrolled.

        Raises:
            GalleryError: the vectors are not of this model, the model has no thresholds and none is given, or
                the server stays away.
        """
        vectors = check_vectors(vectors, self.model)
        statistics, sizes = self.model.statistics, self._cached_sizes()
        worth = comparisons(statistics, sizes)
        rule = decide(statistics, sum(sizes.values()), comparisons=worth, far=far, per=per, threshold=threshold)
        samples = sum(samples * persons for samples, persons in sizes.items())
        exact = samples <= EXACT_UP_TO if exact is None else exact
        search = partial(search_persons, model=self.model.fingerprint, vectors=vectors, top=top, exact=exact)
        return [answer(nearest, rule, statistics) for nearest in self._reader.run(search)]

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

    def persons(self) -> list[Person]:
        """Everybody enrolled, by name."""
        return self._database.run(people.list_persons)

    def show(self, who: str | UUID) -> tuple[Person, list[StoredSample]]:
        """A person, by name or id, and their samples, oldest first.

        Raises:
            GalleryError: nobody has that name or id, or several persons have it.
        """
        return self._database.run(lambda connection: people.read_person(connection, who))

    def kept_crop(self, sample: str) -> bytes | None:
        """The crop of a sample, or of a face denied of somebody, as PNG; None: it was not kept.

        Raises:
            GalleryError: there is no sample whose crop's SHA-256 begins so, in hex.
        """
        return self._database.run(lambda connection: read_crop(connection, sample))

    def check_up(
        self, *, far: float = 0.01, threshold: float | None = None, min_size: float = 0
    ) -> tuple[Contents, Checkup]:
        """Everything the gallery holds, and what is doubtful in it: see `checkup.check_up`.

        Args:
            far: false accept rate of a search, and of the pair that tells whether a sample looks like its person.
            threshold: use this similarity instead of holding `far`.
            min_size: faces with fewer pixels are no good samples.

        Raises:
            GalleryError: the model has no thresholds and none is given, or the server stays away.
        """
        contents = self._reader.run(lambda connection: read_contents(connection, self.model.dim))
        sizes = Counter(np.bincount(contents.persons).tolist())
        worth = comparisons(self.model.statistics, sizes)
        rule = decide(self.model.statistics, len(contents.ids), comparisons=worth, far=far, threshold=threshold)
        pair_rule = decide(self.model.statistics, 1, far=far, per="pair", threshold=threshold)
        return contents, check_up(
            contents.vectors,
            contents.persons,
            threshold=rule.threshold,
            pair_threshold=pair_rule.threshold,
            small=contents.sizes < min_size,
        )

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

    def events(self, last: int = 100) -> list[Event]:
        """The last changes, newest first."""
        return self._database.run(lambda connection: audit.read_events(connection, last))

    def size(self) -> GallerySize:
        """How many persons and samples there are."""
        return self._reader.run(people.count)

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

    def _pair_threshold(self) -> float | None:
        """The similarity from which two faces count as one person's; None if the model was not evaluated."""
        return decide(self.model.statistics, 1, per="pair").threshold if self.has_thresholds else None

    def _forget_size(self) -> None:
        self._size = None

    def _cached_sizes(self) -> dict[int, int]:
        if self._size is None or time.monotonic() - self._size[0] > _SIZE_AGE:
            self._size = (time.monotonic(), self._reader.run(people.count_samples))
        return self._size[1]
