from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.cluster import pair_confusion_matrix

from facerec.metrics import Agreement, b_cubed, pairwise_agreement

faces = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12)


@given(faces)
def test_pairs_are_those_counted_one_by_one(faces: list[tuple[int, int]]) -> None:
    people, groups = np.array(faces).T
    together = [(a, b) for a, b in combinations(faces, 2) if a[1] == b[1]]
    belonging = [(a, b) for a, b in combinations(faces, 2) if a[0] == b[0]]
    right = [(a, b) for a, b in together if a[0] == b[0]]
    agreement = pairwise_agreement(people, groups)
    assert agreement.precision == (len(right) / len(together) if together else 1)
    assert agreement.recall == (len(right) / len(belonging) if belonging else 1)
    (_, false), (missed, true) = pair_confusion_matrix(people, groups).tolist()
    if true:
        assert agreement.f1 == pytest.approx(2 * true / (2 * true + false + missed))


@given(faces)
def test_b_cubed_is_the_mean_over_faces(faces: list[tuple[int, int]]) -> None:
    people, groups = np.array(faces).T
    precisions, recalls = [], []
    for person, group in faces:
        own = [other for other in faces if other[1] == group]
        belonging = [other for other in faces if other[0] == person]
        right = [other for other in own if other[0] == person]
        precisions.append(len(right) / len(own))
        recalls.append(len(right) / len(belonging))
    agreement = b_cubed(people, groups)
    assert agreement.precision == pytest.approx(np.mean(precisions))
    assert agreement.recall == pytest.approx(np.mean(recalls))


def test_nothing_in_common_has_no_f1() -> None:
    assert Agreement(0.0, 0.0).f1 == 0
    assert pairwise_agreement(np.array(["a", "a", "b", "b"]), np.array([0, 1, 0, 1])).f1 == 0
