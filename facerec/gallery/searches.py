"""What a gallery answers: who is it, who is enrolled, and is anything in it doubtful?"""

import time
from collections import Counter
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.errors import UnknownPersonError
from facerec.gallery import audit, enrolment, people
from facerec.gallery.checkup import Checkup, check_up
from facerec.gallery.contents import Contents, read_contents
from facerec.gallery.database import Database
from facerec.gallery.decision import Per, answer, comparisons, decide
from facerec.gallery.names import clean_name
from facerec.gallery.nearest import EXACT_UP_TO, search_persons
from facerec.gallery.records import Answer, EnrolmentCheck, Event, GallerySize, Person, StoredSample
from facerec.gallery.samples import read_crop
from facerec.gallery.vectors import check_vectors
from facerec.models.record import ModelRecord

_SIZE_AGE = 1.0  # seconds for which the numbers of samples are cached: counting takes as long as a search


class Searches:
    """All that `Gallery` does without changing anything.

    Args:
        database: of the gallery.
        reader: the same, or a replica for searches.
        model: whose vectors it holds.
    """

    def __init__(self, database: Database, reader: Database, model: ModelRecord) -> None:
        self.model = model
        self._database, self._reader = database, reader
        self._size: tuple[float, dict[int, int]] | None = None

    @property
    def has_thresholds(self) -> bool:
        """Whether the model was evaluated, so that searches need no `threshold`."""
        return bool(self.model.statistics.thresholds)

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

    def persons(self) -> list[Person]:
        """Everybody enrolled, by name."""
        return self._database.run(people.list_persons)

    def shared_names(self) -> set[str]:
        """Names that several persons have."""
        return set(self._reader.run(people.shared_names))

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

    def events(self, last: int = 100) -> list[Event]:
        """The last changes, newest first."""
        return self._database.run(lambda connection: audit.read_events(connection, last))

    def size(self) -> GallerySize:
        """How many persons and samples there are."""
        return self._reader.run(people.count)

    def _pair_threshold(self) -> float | None:
        """The similarity from which two faces count as one person's; None if the model was not evaluated."""
        return decide(self.model.statistics, 1, per="pair").threshold if self.has_thresholds else None

    def _forget_size(self) -> None:
        self._size = None

    def _cached_sizes(self) -> dict[int, int]:
        if self._size is None or time.monotonic() - self._size[0] > _SIZE_AGE:
            self._size = (time.monotonic(), self._reader.run(people.count_samples))
        return self._size[1]
