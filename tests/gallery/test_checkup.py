"""The check-up: against plain loops, on planted faults, and on real faces from photos to the page."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.special import betainc
from scipy.stats import binomtest

from facerec.gallery import Gallery, Sample, neighbours
from facerec.gallery.checkup import _rate, check_up
from facerec.gallery.findings import describe
from facerec.gallery.neighbours import compare
from facerec.metrics import mean_interval
from tests.gallery.conftest import RECORD

Vectors = NDArray[np.float32]
SAME, APART = 0.55, 0.35  # similarities in `person`'s world: two samples of one person, and of two, at the most


def unit(vectors: NDArray[np.floating]) -> Vectors:
    result: Vectors = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return result


def person(seed: int, count: int) -> Vectors:
    """Samples in 128 dimensions, about 0.8 alike, and unlike those of other seeds."""
    random = np.random.default_rng(seed)
    return unit(random.normal(size=128) + 0.5 * random.normal(size=(count, 128)))


def checked(people: list[Vectors]) -> tuple[Vectors, NDArray[np.int64]]:
    return np.concatenate(people), np.repeat(np.arange(len(people)), [len(vectors) for vectors in people])


@given(
    arrays(np.float32, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(-1, 1, width=16)),
    st.data(),
    st.sampled_from([-1.0, 0.0, 0.5, 0.9]),
    st.integers(1, 40),
)
def test_neighbours_are_those_of_a_plain_loop(
    raw: Vectors, data: st.DataObject, threshold: float, block: int
) -> None:
    vectors = unit(raw + np.array([2, 0, 0], np.float32))
    steps = data.draw(st.lists(st.booleans(), min_size=len(vectors) - 1, max_size=len(vectors) - 1))
    persons = np.cumsum([False, *steps]).astype(np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_BLOCK", block)
        near = compare(vectors, persons, threshold)
    for row, vector in enumerate(vectors):
        own = {other: vector @ vectors[other] for other in np.flatnonzero(persons == persons[row]) if other != row}
        others = {other: vector @ vectors[other] for other in np.flatnonzero(persons != persons[row])}
        for similarities, value, found in ((own, near.own, near.own_row), (others, near.other, near.other_row)):
            if not similarities:
                assert np.isnan(value[row])
                assert found[row] == -1
                continue
            assert value[row] == pytest.approx(min(1, max(similarities.values())), abs=1e-6)
            assert similarities[found[row]] == pytest.approx(value[row], abs=1e-6)
        best = {
            p: max(others[other] for other in others if persons[other] == p) for p in set(persons[list(others)])
        }
        reached = set(near.reached[near.reached[:, 0] == row, 1].tolist())
        sure = {p for p, value in best.items() if value > threshold + 1e-6}
        assert reached <= {p for p, value in best.items() if value >= threshold - 1e-6}
        assert sure <= reached if len(sure) <= 10 else len(reached) == 10


def test_planted_faults_are_found_and_nothing_else() -> None:
    people = [person(seed, 6) for seed in range(8)]
    people += [person(100, 8)[:4], person(100, 8)[4:]]  # 8 and 9: one person, enrolled twice
    people[0] = np.concatenate([people[0], person(1, 7)[6:]])  # row 6: person 1's
    people[2] = np.concatenate([people[2], unit(people[2][:1] + 0.01 * person(5, 1))])  # the first one's copy
    people[3] = np.concatenate([people[3], person(777, 1)])  # nobody's
    people.append(person(200, 1))
    vectors, persons = checked(people)
    found = check_up(vectors, persons, threshold=SAME, pair_threshold=APART)
    assert [pair.persons for pair in found.doubles] == [(8, 9)]
    assert found.doubles[0].shares == (1.0, 1.0)
    assert found.nearer[0] == 6
    assert persons[found.neighbours.other_row[6]] == 1
    stranger = int(np.flatnonzero(persons == 3)[-1])
    assert {*found.nearer.tolist(), *found.unlike.tolist()} == {6, stranger}
    assert found.alike == []
    first = int(np.flatnonzero(persons == 2)[0])
    assert found.copies == [(first, first + 6)]
    assert found.few == {10: 1}
    assert found.misses is not None
    assert found.misses.value == pytest.approx(2 / 59)
    assert (found.misses.searches, found.misses.persons) == (59, 10)
    assert found.named is not None
    assert found.named_with_doubles is not None
    assert found.named.value == pytest.approx(7 / 52)  # six of person 1 by the misplaced sample, and that
    assert found.named_with_doubles.value == pytest.approx(15 / 60)


def test_look_alikes_are_a_pair_and_no_double() -> None:
    ann, bea = person(0, 6), person(1, 6)
    bea[0] = unit(0.62 * ann[0] + 0.9 * bea[1:].mean(0))
    vectors, persons = checked([ann, bea, person(2, 6)])
    found = check_up(vectors, persons, threshold=SAME, pair_threshold=APART)
    assert [pair.persons for pair in found.alike] == [(0, 1)]
    assert 6 in found.alike[0].rows
    assert found.doubles == []
    assert found.named_with_doubles is None


def test_small_faces_are_no_good_samples() -> None:
    vectors, persons = checked([person(0, 3), person(1, 3)])
    small = np.array([True, True, False, False, False, True])
    found = check_up(vectors, persons, threshold=SAME, pair_threshold=APART, small=small)
    assert found.few == {0: 1}


@pytest.mark.parametrize(
    ("sizes", "misses", "named"), [([], False, False), ([3], True, False), ([1, 1], False, True)]
)
def test_what_cannot_be_estimated_is_not(sizes: list[int], misses: bool, named: bool) -> None:
    people = [person(seed, size) for seed, size in enumerate(sizes)]
    vectors, persons = checked(people) if people else (np.empty((0, 128), np.float32), np.empty(0, np.int64))
    found = check_up(vectors, persons, threshold=SAME, pair_threshold=APART)
    assert (found.misses is not None, found.named is not None) == (misses, named)


def test_intervals_agree_with_other_implementations() -> None:
    random = np.random.default_rng(0)
    persons = np.repeat(np.arange(60), random.integers(1, 9, 60))
    events = random.random(len(persons)) < np.repeat(random.random(60) * 0.4, np.bincount(persons))
    everybody = np.ones(len(persons), bool)
    rate = _rate(events, persons, everybody)
    assert rate is not None
    expected = mean_interval(events, persons, resamples=20_000)
    assert (rate.value, rate.low, rate.high) == pytest.approx(tuple(expected), abs=0.006)
    for all_of_them in (False, True):
        rate = _rate(np.full(len(persons), all_of_them), persons, everybody)
        exact = binomtest(60 * all_of_them, 60).proportion_ci(method="exact")
        assert rate is not None
        assert (rate.low, rate.high) == pytest.approx((exact.low, exact.high))


def test_a_stranger_s_rate_lies_in_its_interval_as_often_as_promised() -> None:
    """Of unit vectors without structure it is known: their cosines have the distribution of a Beta variable."""
    random, threshold, size, dim = np.random.default_rng(0), 0.45, 200, 32
    pair = betainc((dim - 1) / 2, 0.5, 1 - threshold**2) / 2
    truth = 1 - (1 - pair) ** (size - 1)
    assert 0.2 < truth < 0.8
    covered = 0
    for _ in range(100):
        vectors, persons = unit(random.normal(size=(size, dim))), np.arange(size)
        found = check_up(vectors, persons, threshold=threshold, pair_threshold=0)
        rate = found.named_with_doubles or found.named
        assert rate is not None
        covered += rate.low <= truth <= rate.high
    assert 88 <= covered <= 99


def test_a_gallery_is_read_and_described(gallery: Gallery) -> None:
    for name, seed in (("Ann", 0), ("Bea [/b]", 0), ("Cy", 1)):
        random = np.random.default_rng(seed)
        vectors = unit(random.normal(size=32) + 0.1 * random.normal(size=(8, 32)))
        gallery.enroll(name, [Sample(v, f"{name}.jpg", box=(0, 0, 9, 20)) for v in vectors[4 * (name > "B") :][:4]])
    contents, checkup = gallery.check_up(far=0.01, min_size=10)
    assert contents.names == ["Ann", "Bea [/b]", "Cy"]
    assert contents.persons.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    for row, (crop, vector) in enumerate(zip(contents.crops, contents.vectors, strict=True)):
        assert Sample(vector).digest().hex() == crop, row
    assert contents.sizes.tolist() == [9] * 12
    found = {finding.kind: finding for finding in describe(checkup, contents)}
    assert found["double"].sentence.startswith("Ann and Bea [/b]: 100% and 100% of their samples reach the other")
    assert "`facerec gallery merge name='Bea [/b]' to=Ann`" in found["double"].todo
    assert found["few"].sentence == "Cy has 4 samples, none of them good"
    assert RECORD.fingerprint == gallery.model.fingerprint
