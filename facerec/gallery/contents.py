"""Read a whole gallery into arrays, without its kept crops."""

from collections import Counter
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

_PERSONS = "SELECT id, name FROM person WHERE EXISTS (SELECT FROM sample WHERE person_id = id) ORDER BY name, id"
_SAMPLES = "SELECT person_id, crop, source, box, vector FROM sample"
_KEPT = "SELECT kept FROM sample WHERE person_id = %s AND crop = %s"


class Contents(NamedTuple):
    """P persons who have samples, by name, and N samples, by person.

    Attributes:
        ids: of the persons.
        names: of the persons.
        vectors: `float32 [N, d]`.
        persons: `int64 [N]`, the number of each sample's person, ascending.
        crops: SHA-256 of each sample's crop, in hex.
        sources: name of each sample's photo.
        sizes: `float32 [N]`, shorter side of each face in pixels of its photo; nan where it is not known.
    """

    ids: list[UUID]
    names: list[str]
    vectors: NDArray[np.float32]
    persons: NDArray[np.int64]
    crops: list[str]
    sources: list[str]
    sizes: NDArray[np.float32]

    def rows_of(self, person: int) -> list[int]:
        """The samples of a person."""
        first, end = np.searchsorted(self.persons, [person, person + 1])
        return list(range(int(first), int(end)))

    def labels(self) -> list[str]:
        """Names that commands take: the start of the id where two persons have one name."""
        count = Counter(self.names)
        return [
            name if count[name] == 1 else str(person)[:8] for person, name in zip(self.ids, self.names, strict=True)
        ]


def read_contents(connection: Connection[Any], dim: int) -> Contents:
    """Everything that a check-up needs, as it is at one moment.

    Args:
        connection: in a transaction.
        dim: length of a vector.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    rows = connection.execute(_PERSONS).fetchall()
    numbers = {person: number for number, (person, _) in enumerate(rows)}
    persons, crops, sources, sizes, vectors = [], [], [], [], []
    with connection.cursor(name="contents") as cursor:  # in portions: Python's objects are larger than the numbers
        for person, crop, source, box, vector in cursor.execute(_SAMPLES):
            persons.append(numbers[person])
            crops.append(crop.hex())
            sources.append(source)
            sizes.append(min(box[2] - box[0], box[3] - box[1]) if box else np.nan)
            vectors.append(vector.to_numpy())
    order = np.lexsort((crops, persons)) if persons else np.empty(0, np.int64)
    return Contents(
        [person for person, _ in rows],
        [name for _, name in rows],
        np.array(vectors, np.float32).reshape(-1, dim)[order],
        np.array(persons, np.int64)[order],
        [crops[row] for row in order],
        [sources[row] for row in order],
        np.array(sizes, np.float32)[order],
    )
