import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from facerec.errors import ConfigError
from facerec.training.projection import principal_axes


def test_axes_are_those_of_an_uncentred_pca() -> None:
    random = np.random.default_rng(0)
    vectors = (random.normal(size=(300, 10)) * np.linspace(1, 3, 10) + 0.5).astype(np.float32)
    axes = principal_axes(vectors, 4)
    np.testing.assert_allclose(axes.T @ axes, np.eye(4), atol=1e-6)
    reference = TruncatedSVD(4, algorithm="arpack").fit(vectors.astype(np.float64)).components_
    np.testing.assert_allclose(np.abs(np.diagonal(reference @ axes)), 1, atol=1e-6)  # but for their signs


def test_vectors_in_few_dimensions_keep_their_cosines() -> None:
    random = np.random.default_rng(1)
    low = random.normal(size=(40, 3)) @ np.linalg.qr(random.normal(size=(8, 3)))[0].T
    unit = (low / np.linalg.norm(low, axis=1, keepdims=True)).astype(np.float32)
    projected = unit @ principal_axes(unit, 3)
    np.testing.assert_allclose(projected @ projected.T, unit @ unit.T, atol=1e-6)


def test_too_few_vectors_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"its vectors have 10 numbers, and 9 .* images are too few"):
        principal_axes(np.ones((9, 10), np.float32), 4)
