"""Vectors of crops and their mirror images together, beside the formula in float64."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facerec.backbones import ResNet
from facerec.errors import ModelError
from facerec.evaluation.systems import make_systems
from facerec.models import Embedder, Ensemble, FlipEmbedder, FlippedModel, open_model
from facerec.models.store import save

CROPS = np.random.default_rng(0).integers(0, 256, (5, 3, 112, 112), dtype=np.uint8)
WEIGHTS = [0.7, 0.3]


def _embedder(seed: int, dim: int) -> Embedder:
    torch.manual_seed(seed)
    return Embedder(ResNet(18, embedding_dim=dim, stem="imagenet"), [120.0] * 3, [60.0] * 3).eval()


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    members = {"a": _embedder(0, 8), "b": _embedder(1, 6)}
    save(folder, Ensemble(members, WEIGHTS), statistics={}, origin={})
    return folder


def test_a_vector_is_the_sum_of_both_at_unit_length() -> None:
    embedder = _embedder(0, 8)
    mirrored = np.flip(CROPS, axis=3)
    both = embedder.embed(CROPS).astype(np.float64) + embedder.embed(mirrored)
    expected = both / np.sqrt((both**2).sum(axis=1, keepdims=True))
    flipped = FlipEmbedder([embedder])
    np.testing.assert_allclose(flipped.embed(CROPS), expected, atol=1e-6)
    np.testing.assert_allclose(flipped.embed(CROPS, 2), expected, atol=1e-6)
    np.testing.assert_allclose(flipped.embed(CROPS[3]), expected[3:4], atol=1e-6)
    np.testing.assert_allclose(flipped.embed(mirrored), expected, atol=1e-6)
    assert np.abs(flipped.embed(CROPS) - embedder.embed(CROPS)).max() > 0.01
    assert flipped.embed(CROPS[:0]).shape == (0, flipped.embedding_dim)


def test_an_ensemble_stays_the_weighted_product_of_its_members(ensemble: Path) -> None:
    model = FlippedModel(open_model(ensemble, "cpu"))
    vectors = model.embed(CROPS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    by_member = {name: member.embed(CROPS) for name, member in model.members.items()}
    expected = sum(weight * (member @ member.T) for weight, member in zip(WEIGHTS, by_member.values(), strict=True))
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-6)
    # as evaluation puts it together, too
    np.testing.assert_allclose(make_systems(by_member, model.weights)["ensemble"], vectors, atol=1e-6)
    assert model.dim == vectors.shape[1] == model.embedder.embedding_dim == 14


def test_a_model_alone_is_its_own_member(tmp_path: Path) -> None:
    save(tmp_path / "model", _embedder(0, 8), statistics={}, origin={})
    model = FlippedModel(open_model(tmp_path / "model", "cpu"))
    assert list(model.members) == ["model"]
    assert model.weights is None
    np.testing.assert_allclose(model.embed(CROPS), model.members["model"].embed(CROPS), atol=1e-5)


def test_it_is_another_model_whose_statistics_are_not_the_models(ensemble: Path) -> None:
    model = open_model(ensemble, "cpu")
    flipped = FlippedModel(model)
    assert flipped.fingerprint != model.fingerprint
    assert len(flipped.fingerprint) == 64
    assert (flipped.path, flipped.statistics) == (model.path, model.statistics)
    with pytest.raises(ModelError, match="mirror images"):
        flipped.store(model.statistics)
