"""Search: the persons nearest to a vector."""

from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from facerec.gallery.binary_codes import binary_code
from facerec.gallery.vectors import check_model

EXACT_UP_TO = 10_000  # samples; beyond, binary codes are faster
CANDIDATES = 200  # persons with the nearest codes, whose samples are compared
_BLOCK = 1024  # vectors that are compared with all samples at once

# <#> is minus the inner product, which is minus the cosine of unit vectors; <~> counts the bits that differ
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


def search_persons(
    connection: Connection[Any], model: str, vectors: NDArray[np.float32], top: int, exact: bool
) -> list[list[tuple[UUID, str, float]]]:
    """`nearest_persons` for each vector `float32 [N, d]` of a model.

    Raises:
        GalleryError: the gallery was rebuilt with another model.
    """
    check_model(connection, model)
    return [nearest_persons(connection, vector, top, exact=exact) for vector in vectors]


def nearest_persons(
    connection: Connection[Any], vector: NDArray[np.float32], top: int, *, exact: bool
) -> list[tuple[UUID, str, float]]:
    """Id, name and similarity of the persons nearest to a vector, nearest first.

    The similarity of a person is that of their nearest sample. The exact search compares every sample. The coded
    search compares every person's binary code, takes the `CANDIDATES` nearest, and compares all their samples. So
    its similarities are exact too, and it can only miss a person whose mean is far from the vector while one of
    their samples is near. HNSW was tried: as fast with a hundred thousand persons, but it missed a third of
    the right ones among vectors without structure.

    Args:
        connection: with the gallery's schema.
        vector: `float32 [d]`, of unit length.
        top: how many persons to return at most.
        exact: compare every sample.
    """
    parameters = {"vector": vector, "top": top}
    if not exact:
        parameters |= {"code": binary_code(vector), "candidates": max(CANDIDATES, top)}
    rows = connection.execute(_EXACT if exact else _CODED, parameters).fetchall()
    # rounding may take a float32 sum past 1
    return [(person, name, max(-1.0, min(1.0, similarity))) for person, name, similarity in rows]


def nearest_samples(
    connection: Connection[Any], vectors: NDArray[np.float32]
) -> tuple[list[UUID | None], NDArray[np.float32]]:
    """The person nearest to each of many vectors, and the similarity, `float32 [N]`; None and -inf for nobody.

    For more vectors than are worth a search each: all samples are read once.

    Args:
        connection: with the gallery's schema.
        vectors: `float32 [N, d]`, of unit length.
    """
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute("SELECT person_id, vector FROM sample").fetchall()
    if not rows:
        return [None] * len(vectors), np.full(len(vectors), -np.inf, np.float32)
    samples = np.array([vector.to_numpy() for _, vector in rows])
    best, similarity = np.zeros(len(vectors), np.intp), np.zeros(len(vectors), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK] @ samples.T
        best[start : start + _BLOCK] = block.argmax(1)
        similarity[start : start + _BLOCK] = block.max(1)
    return [rows[row][0] for row in best], np.clip(similarity, -1, 1)
