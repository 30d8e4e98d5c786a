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
    SELECT person.id, person.name, nearest.similarity, person.ignored
    FROM (
        SELECT person_id, similarity
        FROM (
            SELECT person_id, max(-(vector <#> %(vector)s)) AS similarity FROM sample {where} GROUP BY person_id
        ) AS own LEFT JOIN (
            SELECT person_id, max(-(vector <#> %(vector)s)) AS denied FROM denial GROUP BY person_id
        ) AS other USING (person_id)
        WHERE denied IS NULL OR denied < similarity
        ORDER BY similarity DESC LIMIT %(top)s
    ) AS nearest JOIN person ON person.id = nearest.person_id
    ORDER BY nearest.similarity DESC, person.name
"""
Nearest = tuple[UUID, str, float, bool]  # person, name, similarity, whether the person is ignored
_EXACT = _NEAREST.format(where="")
_CODED = _NEAREST.format(
    where="""WHERE person_id IN (
            SELECT person_id FROM centroid ORDER BY code <~> %(code)s LIMIT %(candidates)s
        )"""
)


def search_persons(
    connection: Connection[Any], model: str, vectors: NDArray[np.float32], top: int, exact: bool
) -> list[list[Nearest]]:
    """`nearest_persons` for each vector `float32 [N, d]` of a model.

    Raises:
        GalleryError: the gallery was rebuilt with another model.
    """
    check_model(connection, model)
    return [nearest_persons(connection, vector, top, exact=exact) for vector in vectors]


def nearest_persons(
    connection: Connection[Any], vector: NDArray[np.float32], top: int, *, exact: bool
) -> list[Nearest]:
    """The persons nearest to a vector, nearest first.

    The similarity of a person is that of their nearest sample. Who is denied of a face at least as near is left out
    (see `denials`). The exact search compares every sample. The coded
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
    return [(person, name, max(-1.0, min(1.0, similarity)), ignored) for person, name, similarity, ignored in rows]


def nearest_samples(
    connection: Connection[Any], vectors: NDArray[np.float32]
) -> tuple[list[UUID | None], NDArray[np.float32]]:
    """The person nearest to each of many vectors, and the similarity, `float32 [N]`; None and -inf for nobody.

    For more vectors than are worth a search each: all samples are read once. Denials count as in `nearest_persons`.

    Args:
        connection: with the gallery's schema.
        vectors: `float32 [N, d]`, of unit length.
    """
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute("SELECT person_id, vector FROM sample").fetchall()
        denied = cursor.execute("SELECT person_id, vector FROM denial").fetchall()
    if not rows:
        return [None] * len(vectors), np.full(len(vectors), -np.inf, np.float32)
    owners = np.array([owner.int for owner, _ in rows], object)
    samples = np.array([vector.to_numpy() for _, vector in rows])
    best, similarity = np.zeros(len(vectors), np.intp), np.zeros(len(vectors), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        probes = vectors[start : start + _BLOCK]
        block = probes @ samples.T
        for person, vector in denied:
            own = np.flatnonzero(owners == person.int)
            left_out = np.flatnonzero(probes @ vector.to_numpy() >= block[:, own].max(1, initial=-np.inf))
            block[np.ix_(left_out, own)] = -np.inf
        best[start : start + _BLOCK] = block.argmax(1)
        similarity[start : start + _BLOCK] = block.max(1)
    persons = [rows[row][0] if value > -np.inf else None for row, value in zip(best, similarity, strict=True)]
    return persons, np.where(similarity > -np.inf, similarity.clip(-1, 1), similarity)
