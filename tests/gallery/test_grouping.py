import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.cluster import AgglomerativeClustering

from facerec.gallery import grouping
from facerec.gallery.grouping import group_faces

Vectors = NDArray[np.float32]


def made_up(seed: int, count: int, people: int, spread: float) -> Vectors:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(people, 16))[random.integers(0, people, count)]
    vectors = vectors + spread * random.normal(size=(count, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def partition(labels: NDArray[np.integer]) -> set[tuple[int, ...]]:
    return {tuple(np.flatnonzero(labels == label)) for label in np.unique(labels)}


def distances(vectors: Vectors, photos: NDArray[np.integer]) -> NDArray[np.float64]:
    """Of all pairs; between faces of one photo so far that no mean with them is near."""
    far = 1 - vectors.astype(np.float64) @ vectors.T
    far[photos[:, None] == photos] = 4 * len(photos) ** 2
    np.fill_diagonal(far, 0)
    return far


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(2, 80),
    people=st.integers(1, 15),
    spread=st.floats(0.1, 2),
    photos=st.integers(1, 100),
    threshold=st.floats(-0.5, 0.95),
)
def test_groups_are_those_of_scikit_learns_average_linkage(
    seed: int, count: int, people: int, spread: float, photos: int, threshold: float
) -> None:
    vectors = made_up(seed, count, people, spread)
    photo = np.random.default_rng(seed).integers(0, photos, count)
    labels = group_faces(vectors, photo, threshold)
    reference = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - threshold
    ).fit_predict(distances(vectors, photo))
    heights = linkage(squareform(distances(vectors, photo), checks=False), "average")[:, 2]
    if abs(heights - (1 - threshold)).min() > 1e-5:  # else rounding decides
        assert partition(labels) == partition(reference)
    for group in partition(labels):
        assert len(set(photo[list(group)])) == len(group)  # two faces of a photo are never together


@pytest.mark.parametrize("rows", [1, 7, 1024])
def test_blocks_change_nothing(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, photos = made_up(0, 300, 40, 0.6), np.arange(300) // 3
    expected = fcluster(
        linkage(squareform(distances(vectors, photos), checks=False), "average"), 0.5, criterion="distance"
    )
    monkeypatch.setattr(grouping, "_ROWS", rows)
    assert partition(group_faces(vectors, photos, 0.5)) == partition(expected)


@given(st.integers(1, 40), st.integers(1, 10))
def test_copies_of_one_face_are_together_but_for_those_of_one_photo(count: int, photos: int) -> None:
    """All similarities are equal, which no order of merging can tell apart."""
    vectors, photo = np.repeat(made_up(0, 1, 1, 0), count, axis=0), np.arange(count) % photos
    labels = group_faces(vectors, photo, 0.9)
    assert len(np.unique(labels)) == np.bincount(photo).max()
    for group in partition(labels):
        assert len(set(photo[list(group)])) == len(group)


def test_no_faces() -> None:
    assert len(group_faces(np.empty((0, 16), np.float32), np.empty(0, np.intp), 0.5)) == 0


def test_labels_count_up_in_the_order_of_first_faces() -> None:
    vectors = np.eye(3, dtype=np.float32)[[2, 0, 2, 1]]
    assert group_faces(vectors, np.arange(4), 0.5).tolist() == [0, 1, 0, 2]
