"""Group faces by person: average linkage, in which two faces of one photo are never together."""

import numpy as np
from numpy.typing import NDArray

_ROWS = 1024  # compared with all others at once


def group_faces(vectors: NDArray[np.float32], photos: NDArray[np.integer], threshold: float) -> NDArray[np.intp]:
    """Merge the two most alike groups, again and again, while their faces' mean similarity reaches a threshold.

    The mean of all similarities between two groups is the inner product of the groups' mean vectors, so the
    matrix of all pairs, which scikit-learn's average linkage holds, is never needed. Two groups that are each
    other's nearest stay so whatever else is merged (average linkage is reducible: Bruynooghe 1978), so all of
    those merge at once. Groups that have faces in one photo are never alike.

    Args:
        vectors: `float32 [N, d]`, of unit length.
        photos: `int [N]`, in which photo each face is.
        threshold: cosine, above -1.

    Returns:
        `int [N]`: group of each face, 0, 1, … in the order of their first faces.
    """
    labels = np.arange(len(vectors))
    sums, counts = vectors.astype(np.float32), np.ones(len(vectors), np.float32)
    apart = _same_photo(photos)
    nearest, similarity = np.zeros(len(vectors), np.intp), np.full(len(vectors), -np.inf, np.float32)
    alive, stale = np.ones((2, len(vectors)), np.bool_)
    while stale.any():
        columns = np.flatnonzero(alive)
        for rows in np.array_split(np.flatnonzero(stale), -(-int(stale.sum()) // _ROWS)):
            alike = (sums[rows] / counts[rows, None]) @ (sums[columns] / counts[columns, None]).T
            _forbid(alike, rows, columns, labels[apart])
            best = alike.argmax(1)
            nearest[rows], similarity[rows] = columns[best], alike[np.arange(len(rows)), best]
        # a group that is like no other is like none that are made of others
        alive &= similarity >= threshold
        mutual = alive & (nearest[nearest] == np.arange(len(nearest)))
        if alive.any() and not mutual.any():  # rounding hid that the most alike two are each other's nearest
            mutual = np.arange(len(nearest)) == np.argmax(np.where(alive, similarity, -np.inf))
        pairs = np.sort(np.stack([np.flatnonzero(mutual), nearest[mutual]]), axis=0)
        left, right = np.unique(pairs, axis=1)
        sums[left] += sums[right]
        counts[left] += counts[right]
        alive[right], similarity[right] = False, -np.inf
        new = np.arange(len(labels))
        new[right] = left
        labels = new[labels]
        merged = np.zeros(len(labels), np.bool_)
        merged[left] = merged[right] = True
        stale = alive & (merged | merged[nearest])
    return np.unique(labels, return_inverse=True)[1]


def _same_photo(photos: NDArray[np.integer]) -> NDArray[np.intp]:
    """`int [2, P]`: all pairs of faces in one photo, each both ways."""
    order = np.argsort(photos, kind="stable")
    starts = np.flatnonzero(np.diff(photos[order], prepend=photos[order[:1]] - 1))
    pairs = [np.stack(np.meshgrid(faces, faces)).reshape(2, -1) for faces in np.split(order, starts[1:])]
    return np.concatenate([pair[:, pair[0] != pair[1]] for pair in pairs], axis=1)


def _forbid(
    alike: NDArray[np.float32], rows: NDArray[np.intp], columns: NDArray[np.intp], apart: NDArray[np.intp]
) -> None:
    """Let no group of `rows` be like itself, or like one of `columns` that is to stay apart from it."""
    row_of, column_of = np.full((2, max(rows.max(), columns.max(), apart.max(initial=0)) + 1), -1)
    row_of[rows], column_of[columns] = np.arange(len(rows)), np.arange(len(columns))
    left, right = row_of[np.append(apart[0], rows)], column_of[np.append(apart[1], rows)]
    compared = (left >= 0) & (right >= 0)
    alike[left[compared], right[compared]] = -np.inf
