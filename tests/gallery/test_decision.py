import logging

import pytest

from facerec.errors import GalleryError
from facerec.gallery.decision import decide
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
        rule = decide(STATISTICS, 10_000, far=0.01)
    assert rule.threshold == 0.6
    assert rule.search_far == pytest.approx(1 - (1 - 1e-4) ** 10_000)
    assert "strictest measured is 1.0e-04" in caplog.text


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
