import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facerec.errors import GalleryError
from facerec.gallery.decision import comparisons, decide
from facerec.models import Sigmoid, Statistics, Threshold

STATISTICS = Statistics(
    thresholds=(Threshold(1e-2, 0.4), Threshold(1e-4, 0.6), Threshold(1e-6, None)), calibration=Sigmoid(10.0, -5.0)
)


def test_held_per_pair() -> None:
    rule = decide(STATISTICS, 1, far=1e-2, per="pair")
    assert rule.threshold == pytest.approx(0.4)
    assert rule.far == pytest.approx(1e-2)
    assert rule.search_far == pytest.approx(1e-2)
    assert decide(STATISTICS, 1, far=1e-3, per="pair").threshold == pytest.approx(0.5)


def test_held_per_search_it_grows_stricter_with_the_gallery() -> None:
    few, many = (decide(STATISTICS, persons, far=0.01) for persons in (1, 100))
    assert few.threshold == pytest.approx(0.4)
    assert many.threshold == pytest.approx(0.6, abs=1e-3)
    assert 1 - (1 - many.far) ** 100 == pytest.approx(0.01)  # type: ignore[operator]
    assert many.search_far == pytest.approx(0.01)


def test_stricter_than_measured_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert not decide(STATISTICS, 100, far=0.011).extrapolated
        assert caplog.text == ""
        rule = decide(STATISTICS, 10_000, far=0.01)
    assert rule.extrapolated
    assert rule.threshold == pytest.approx(0.8, abs=1e-3)  # a tenth for each decade, as between the measured rates
    assert rule.search_far == pytest.approx(0.01)
    assert "strictest measured is 1.0e-04: the threshold 0.800 is extrapolated" in caplog.text
    assert decide(STATISTICS, 10**9).threshold == 1  # equal vectors are one person


def test_a_single_measured_rate_decides_and_what_it_holds_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        rule = decide(Statistics(thresholds=(Threshold(1e-4, 0.6),)), 10_000, far=0.01)
    assert (rule.threshold, rule.certain) == (0.6, None)
    assert rule.search_far == pytest.approx(1 - (1 - 1e-4) ** 10_000)
    assert "a search now accepts a stranger with probability 0.63" in caplog.text


def test_beyond_doubt_is_a_hundredth_of_the_rate() -> None:
    rule = decide(STATISTICS, 1, far=1e-2, per="pair")
    assert rule.certain == pytest.approx(decide(STATISTICS, 1, far=1e-4, per="pair").threshold)
    assert decide(STATISTICS, 1, threshold=0.5).certain is None


SIZES = st.dictionaries(st.integers(1, 100), st.integers(1, 10_000), min_size=1, max_size=5)


@given(SIZES, st.floats(0, 1))
def test_a_person_is_worth_at_most_their_samples_and_at_least_one(sizes: dict[int, int], exponent: float) -> None:
    worth = comparisons(Statistics(sample_exponent=exponent), sizes)
    assert sum(sizes.values()) <= worth * (1 + 1e-9)
    assert worth <= sum(samples * persons for samples, persons in sizes.items()) * (1 + 1e-9)
    more = {samples + 1: persons for samples, persons in sizes.items()}
    assert comparisons(Statistics(sample_exponent=exponent), more) >= worth
    assert comparisons(Statistics(sample_exponent=exponent), {**sizes, 101: 1}) >= worth + 1


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.floats(1e-4, 0.5))
def test_more_comparisons_need_a_stricter_threshold(few: int, more: int, far: float) -> None:
    few, more = sorted((few, more))
    logging.disable()
    rules = [decide(STATISTICS, 1, comparisons=number, far=far) for number in (few, more)]
    logging.disable(logging.NOTSET)
    assert rules[0].threshold <= rules[1].threshold
    for rule in rules:
        assert rule.search_far == pytest.approx(far)


@given(st.integers(1, 100), st.integers(1, 30))
def test_without_a_measured_exponent_persons_count_and_with_one_sample_each_they_do_too(
    persons: int, samples: int
) -> None:
    assert comparisons(STATISTICS, {samples: persons}) == persons
    measured = Statistics(thresholds=STATISTICS.thresholds, sample_exponent=0.87)
    assert comparisons(measured, {1: persons}) == persons
    by_samples = decide(measured, persons, comparisons=comparisons(measured, {1: persons}), far=0.5)
    assert by_samples == decide(STATISTICS, persons, far=0.5)


def test_looser_than_measured_takes_the_loosest() -> None:
    assert decide(STATISTICS, 1, far=0.5).threshold == pytest.approx(0.4)


def test_without_thresholds_it_says_what_to_do() -> None:
    for statistics in (Statistics(), Statistics(thresholds=(Threshold(1e-3, None),))):
        with pytest.raises(GalleryError, match=r"python -m facerec\.evaluate.*threshold="):
            decide(statistics, 1)
    for far in (0.0, 1.0):
        with pytest.raises(GalleryError, match="far"):
            decide(STATISTICS, 1, far=far)


def test_probability() -> None:
    assert STATISTICS.probability(0.5) == pytest.approx(0.5)
    assert STATISTICS.probability(0.6) == pytest.approx(0.7310585786)
    assert Statistics().probability(0.5) is None
