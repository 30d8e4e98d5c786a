"""The persons nearest to a vector."""

from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.errors import GalleryError
from facerec.gallery.binary_codes import code

EXACT_UP_TO = 10_000  # samples; beyond, codes are faster
CANDIDATES = 200  # persons that the codes propose

# <#> is minus the inner product, of unit vectors minus the cosine; <~> counts the bits that differ
_NEAREST = """
    SELECT person.id, person.name, nearest.similarity
    FROM (
        SELECT person_id, max(-(vector <#> %(vector)s)) AS similarity
        FROM sample {where}
        GROUP BY person_id ORDER BY similarity DESC LIMIT %(top)s
    ) AS nearest JOIN person ON person.id = nearest.person_id
    ORDER BY nearest.similarity DESC, person.name
"""
_EXACT = _NEAREST.format(where="")
_CODED = _NEAREST.format(
    where="""WHERE person_id IN (
            SELECT person_id FROM centroid ORDER BY code <~> %(code)s LIMIT %(candidates)s
        )"""
)


def search(
    connection: Connection[Any], model: str, vectors: NDArray[np.float32], top: int, exact: bool
) -> list[list[tuple[UUID, str, float]]]:
    """`nearest` for each vector `float32 [N, d]` of a model.

    Raises:
        GalleryError: the gallery was rebuilt with another model meanwhile.
    """
    row = connection.execute("SELECT model FROM gallery").fetchone()
    if row != (model,):
        found = row and row[0]
        raise GalleryError(f"the gallery is of model {found} by now, and the vectors are of {model}; open it anew")
    return [nearest(connection, one, top, exact=exact) for one in vectors]


def nearest(
    connection: Connection[Any], vector: NDArray[np.float32], top: int, *, exact: bool
) -> list[tuple[UUID, str, float]]:
    """Id, name and similarity of the persons nearest to a vector, nearest first.

    A person is as near as the nearest of their samples. The exact search looks at every sample. The coded one
    finds the `CANDIDATES` persons whose mean direction has the nearest code, by looking at every code, and then
    looks at all samples of those: what it returns has the exact similarity, and it can only miss a person whose
    mean direction is far from the vector while one sample is near. A graph (HNSW) was tried and is not used: as
    fast at a hundred thousand persons, but in vectors without structure it missed a third of the right ones.

    Args:
        connection: with the gallery's schema.
        vector: `float32 [d]`, of unit length.
        top: persons to return at most.
        exact: look at every sample.
    """
    given = {"vector": vector, "top": top}
    if not exact:
        given |= {"code": code(vector), "candidates": max(CANDIDATES, top)}
    rows = connection.execute(_EXACT if exact else _CODED, given).fetchall()
    # float32 sums may pass 1 by a rounding
    return [(person, name, max(-1.0, min(1.0, similarity))) for person, name, similarity in rows]
