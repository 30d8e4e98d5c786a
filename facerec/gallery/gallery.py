"""The gallery: who is enrolled, and who is this?"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID
from weakref import finalize

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.errors import GalleryError, UnknownPersonError
from facerec.gallery import enrolment, erasure, people, transfer
from facerec.gallery.database import Database, no_gallery, without_password
from facerec.gallery.decision import decide
from facerec.gallery.migrations import migrate
from facerec.gallery.names import clean_name, printable
from facerec.gallery.nearest import EXACT_UP_TO, search
from facerec.gallery.rebuild import Embed, rebuild
from facerec.gallery.records import Answer, Doubt, Enrolled, Erased, Event, Kept, Match, Person, Rule, Sample, Size
from facerec.gallery.server import Server, is_made
from facerec.models.record import ModelRecord
from facerec.models.statistics import Statistics

if TYPE_CHECKING:
    from facerec.models import Model

_SIZE_AGE = 1.0  # seconds that a count of persons is trusted: counting takes as long as a search


class Gallery:
    """The persons enrolled with one model. Vectors go in, matches come out; for any number of threads.

    Make one with `Gallery.open`, and close it, or use it in a `with` statement.
    """

    def __init__(self, database: Database, reader: Database, model: ModelRecord, server: Server | None) -> None:
        self.place, self.model = database.name, model
        self._database, self._reader = database, reader
        self._size: tuple[float, Size] | None = None
        # also at the end of the process, and when nobody holds the gallery any more
        self._close = finalize(self, _close, database, reader, server)

    @classmethod
    def open(
        cls,
        place: str | Path,
        model: "str | Path | Model | ModelRecord | None" = None,
        *,
        make: bool = True,
        read_url: str | None = None,
    ) -> "Gallery":
        """Open the gallery at `place`.

        Args:
            place: a folder, which this process then serves with a PostgreSQL of its own; or the URL of a
                PostgreSQL with pgvector, `postgresql://…`, of which the gallery takes one database.
            model: whose vectors: one that is open, its record, or where it lies (see `open_model`). None
                is enough to look after an old gallery.
            make: the gallery if there is none, which needs `model`; the log says so.
            read_url: a replica of the server, asked by `identify` instead; it may lag behind.

        Raises:
            GalleryError: the place is no gallery, is of another model, can't be reached or can't be written. Where
                no gallery is to be made nothing is left behind.
            ModelError: there is no model in that folder.
        """
        record = _record(model)
        make, server = make and record is not None, None
        if str(place).startswith(("postgresql://", "postgres://")):
            url, name = str(place), without_password(str(place))
            database = Database(url, name, make=make)
        else:
            name = printable(place)
            if printable(folder := Path(place).resolve()) != str(folder):
                raise GalleryError(f"{name}: PostgreSQL can't be given a folder of that name; choose another")
            if not make and not is_made(folder):
                raise no_gallery(str(folder))
            server = Server(Path(place))
            try:
                database = Database(server.url, name, server.ensure_running, make=make)
            except BaseException:
                server.release()
                raise
        try:
            fingerprint, dim = migrate(database, record, make=make)
            reader = Database(read_url, without_password(read_url)) if read_url else database
        except BaseException:
            _close(database, database, server)
            raise
        return cls(
            database, reader, ModelRecord(fingerprint, dim, record.statistics if record else Statistics()), server
        )

    def enroll(self, name: str, samples: Sequence[Sample], *, note: str | None = None) -> Enrolled:
        """Add samples to a person, in one transaction; the person is made if there is none of that name.

        When it returns, the samples are on disk. A sample that the person has already, by the SHA-256 of its
        crop, is not added again.

        Args:
            name: of the person.
            samples: of the gallery's model, one at least.
            note: replaces the person's; None leaves it.

        Raises:
            GalleryError: a vector is not one of this model's or not of unit length, a crop is enrolled as
                somebody else, the name is empty, or the server refuses; nothing is changed then.
        """
        name = clean_name(name)
        if not samples:
            raise GalleryError(f"{name}: there is no sample to enrol")
        vectors = self._checked(np.stack([sample.vector for sample in samples]))
        samples = [
            sample._replace(vector=vector, source=printable(sample.source))
            for sample, vector in zip(samples, vectors, strict=True)
        ]

        def work(connection: Connection[Any]) -> tuple[int, list[float]]:
            enrolment.check_model(connection, self.model.fingerprint)
            return enrolment.add_samples(connection, name, note, samples)

        new, near = self._database.run(work)
        self._size = None
        threshold = self._rule(1, 0.01, "pair", None).threshold if near and self.measured else -1.0
        unlike = sum(similarity < threshold for similarity in near)
        return Enrolled(self.show(name)[0], new, len(samples) - new, unlike)

    @property
    def measured(self) -> bool:
        """Whether the model has thresholds."""
        return bool(self.model.statistics.thresholds)

    def doubts(
        self,
        name: str,
        vectors: NDArray[np.floating],
        *,
        far: float = 0.01,
        per: Literal["search", "pair"] = "search",
        threshold: float | None = None,
    ) -> list[Doubt]:
        """What speaks against enrolling each vector as `name`: to be asked before `enroll`.

        Whether it looks like somebody else is a search, and decided as in `identify`. Whether it looks like this
        person is one comparison, whose threshold holds `far` by itself.

        Args:
            name: of the person, enrolled or not.
            vectors: `float [N, d]` of unit length, of the gallery's model.
            far, per, threshold: as in `identify`.

        Raises:
            GalleryError: as `identify`, or it can't be a name.
        """
        name, vectors = clean_name(name), self._checked(vectors)

        def work(connection: Connection[Any]) -> tuple[UUID | None, list[float]]:
            try:
                person = enrolment.find_person(connection, name)
            except UnknownPersonError:
                return None, []
            return person, enrolment.similarities(connection, person, list(vectors))

        person, near = self._database.run(work)
        own = self._rule(1, far, "pair", threshold).threshold
        answers = self.identify(vectors, top=2, far=far, per=per, threshold=threshold)
        others = [
            next((one for one in answer.matches if one.accepted and one.person != person), None)
            for answer in answers
        ]
        unlike = [one if one < own else None for one in near] or [None] * len(vectors)
        return [Doubt(*both) for both in zip(others, unlike, strict=True)]

    def identify(
        self,
        vectors: NDArray[np.floating],
        *,
        top: int = 1,
        far: float = 0.01,
        per: Literal["search", "pair"] = "search",
        threshold: float | None = None,
        exact: bool | None = None,
    ) -> list[Answer]:
        """Find the persons nearest to each vector.

        Args:
            vectors: `float [N, d]` of unit length, of the gallery's model.
            top: persons to return for each, at most.
            far: false accept rate to hold, above 0 and below 1; see `decision.decide`.
            per: hold it for a whole search, or for one pair.
            threshold: this similarity instead of one that holds `far`.
            exact: look at every sample, or at the codes first (see `search.nearest`); None decides by size.

        Returns:
            For each vector an answer; its matches are empty while nobody is enrolled.

        Raises:
            GalleryError: the vectors are not this model's, the model has no measured thresholds and none is
                given, or the server stays away.
        """
        vectors = self._checked(vectors)
        size = self._counted()
        rule = self._rule(size.persons, far, per, threshold)
        exact = size.samples <= EXACT_UP_TO if exact is None else exact
        look = partial(search, model=self.model.fingerprint, vectors=vectors, top=top, exact=exact)
        found = self._reader.run(look)
        return [Answer(tuple(self._match(*one, rule.threshold) for one in matches), rule) for matches in found]

    def erase(self, *names: str | UUID) -> Erased:
        """Erase persons, by name or number, with their samples and whatever else the server's files hold of them.

        Searches wait meanwhile. Without names it only cleans the files, after a call that could not.

        Raises:
            GalleryError: nobody has one of the names, and then nobody is erased; or the files could not be cleaned.
        """
        erased = erasure.erase(self._database, names)
        self._size = None
        return erased

    def persons(self) -> list[Person]:
        """Everybody enrolled, by name."""
        return self._database.run(people.everybody)

    def show(self, name: str | UUID) -> tuple[Person, list[Kept]]:
        """A person, by name or number, and their samples, oldest first.

        Raises:
            GalleryError: nobody has that name.
        """
        return self._database.run(lambda connection: people.one(connection, name))

    def rename(self, name: str | UUID, to: str, *, note: str | None = None) -> None:
        """Give a person another name; `note`, unless None, replaces theirs.

        Raises:
            GalleryError: nobody has that name, or somebody has the new one.
        """
        to = clean_name(to)
        self._database.run(lambda connection: people.rename(connection, name, to, note))

    def merge(self, name: str | UUID, into: str | UUID) -> Person:
        """Give all samples of `name` to `into`, and forget `name`.

        Raises:
            GalleryError: nobody has one of the names, or they are one.
        """
        if name == into:
            raise GalleryError(f"{name}: can't be merged with themselves")
        self._database.run(lambda connection: enrolment.merge_persons(connection, name, into))
        self._size = None
        return self.show(into)[0]

    def export(self, file: str | Path) -> int:
        """Write everything to one file of JSON lines; returns the number of samples.

        The file holds the vectors: whoever has it can recognise these persons.

        Raises:
            GalleryError: the file can't be written.
        """

        def work(connection: Connection[Any]) -> int:
            count = transfer.write(connection, Path(file), self.model.fingerprint, self.model.dim)
            enrolment.record(connection, "export", None, count)
            return count

        return self._database.run(work)

    def load(self, file: str | Path) -> int:
        """Enrol what `export` wrote, a transaction a person; returns the number of new samples.

        Doing it again, or going on after it was stopped, adds nothing twice.

        Raises:
            GalleryError: the file is missing, damaged or of another model, a crop is enrolled as somebody else, or
                a name can't be one.
        """
        new = 0
        for name, note, samples in transfer.read(Path(file), self.model.fingerprint):
            try:
                new += self.enroll(name, samples, note=note or None).new
            except GalleryError as error:
                raise type(error)(
                    f"{file}: {printable(name)}: {error}; {new} samples of the persons before are enrolled"
                ) from error
        return new

    def rebuild(self, model: ModelRecord, embed: Embed) -> int:
        """Embed the kept crops with another model, whose gallery this is from then on; returns how many.

        In one transaction, so the gallery is of one model or of the other whatever happens; searches wait.

        Args:
            model: the other one.
            embed: PNG files of crops to unit vectors `float32 [N, d]`.

        Raises:
            GalleryError: a sample was enrolled without keeping its crop; nothing is changed then.
        """
        count = self._database.run(lambda connection: rebuild(connection, model, embed))
        self.model = model
        return count

    def events(self, last: int = 100) -> list[Event]:
        """Who did what, newest first."""
        return self._database.run(lambda connection: people.events(connection, last))

    def size(self) -> Size:
        """How many persons and samples there are."""
        return self._reader.run(people.size)

    def close(self) -> None:
        """Hang up; the server of a folder is stopped if nobody else uses it."""
        self._close()

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _match(self, person: UUID, name: str, similarity: float, threshold: float) -> Match:
        chance = self.model.statistics.probability(similarity)
        return Match(person, name, similarity, chance, similarity >= threshold)

    def _rule(self, persons: int, far: float, per: Literal["search", "pair"], threshold: float | None) -> Rule:
        if threshold is not None:
            return Rule(threshold, None, None, persons)
        return decide(self.model.statistics, persons, far=far, per=per)

    def _counted(self) -> Size:
        if self._size is None or time.monotonic() - self._size[0] > _SIZE_AGE:
            self._size = (time.monotonic(), self.size())
        return self._size[1]

    def _checked(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        vectors = np.ascontiguousarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.model.dim:
            wanted = f"[N, {self.model.dim}], of model {self.model.fingerprint}"
            raise GalleryError(f"vectors must be {wanted}, not {list(vectors.shape)}")
        if not np.all(np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3):  # also false for nan
            raise GalleryError("vectors must be finite and of unit length, as embedders make them")
        return vectors


def _record(model: "str | Path | Model | ModelRecord | None") -> ModelRecord | None:
    if model is None or isinstance(model, ModelRecord):
        return model
    if isinstance(model, str | Path):
        from facerec.models import open_model  # brings torch, which a search is free of

        model = open_model(model)
    return model.record


def _close(database: Database, reader: Database, server: Server | None) -> None:
    reader.close()
    database.close()
    if server:
        server.release()
