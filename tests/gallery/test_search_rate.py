"""The rate of a search that is asked for is held, however many samples a person has: real faces, real vectors."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facerec.data import celeba, open_crops
from facerec.errors import ModelError
from facerec.gallery.decision import comparisons, decide
from facerec.metrics import operating_points, pair_histograms, sample_exponent
from facerec.models import Statistics, Threshold, open_model

FAR, PERSONS = 0.05, 20


@pytest.mark.slow
def test_the_rate_of_a_search_is_held(real_data: Path, tmp_path: Path) -> None:
    try:
        model = open_model("mobilefacenet", "cpu", offline=True)
        model.embed(np.zeros((1, 3, 112, 112), np.uint8))
    except ModelError as error:
        pytest.skip(f"mobilefacenet is not in the user's cache: {error}")
    images = celeba(str(real_data / "celeba"), exclude=[7392])
    rows = images.rows("test")
    labels = torch.from_numpy(images.labels()[rows])
    vectors = torch.from_numpy(model.embed(open_crops(images, tmp_path, 0)[rows]))
    points = operating_points(pair_histograms(vectors, labels), [1e-2, 1e-3, 1e-4])
    exponent = sample_exponent(vectors, labels, points[1].threshold)
    assert exponent is not None
    assert 0.5 < exponent < 1
    thresholds = tuple(Threshold(point.target_far, point.threshold) for point in points)
    measured, old = (Statistics(thresholds=thresholds, sample_exponent=a) for a in (exponent, None))

    random = np.random.default_rng(0)
    people = [np.flatnonzero(labels == label) for label in labels.unique()]

    def rate(statistics: Statistics, samples: int) -> float:
        """How often strangers are named in 50 galleries of some of the people."""
        worth = comparisons(statistics, {samples: PERSONS})
        threshold = decide(statistics, PERSONS, comparisons=worth, far=FAR).threshold
        named = []
        for _ in range(50):
            order = random.permutation(len(people))
            chosen = [random.choice(people[person], samples, replace=False) for person in order[:PERSONS]]
            strangers = np.concatenate([people[person] for person in order[PERSONS:]])
            similarity = vectors[strangers] @ vectors[np.concatenate(chosen)].T
            named.append(float((similarity.amax(1) >= threshold).float().mean()))
        return float(np.mean(named))

    # people resemble each other unevenly, so that galleries of them are a little safer than formulas say
    for samples in (1, 3, 10):
        assert 0.6 * FAR < rate(measured, samples) < 1.2 * FAR
    assert rate(old, 10) > 3 * FAR
