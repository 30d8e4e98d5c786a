"""The report of a small model: random projections of ORL crops, measured as any model is."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facerec.crops.contract import Crops
from facerec.data import open_crops, orl
from facerec.evaluation import Evaluated, PairSet, evaluate_model
from facerec.metrics import tenths
from facerec.models import CropEmbedder, Model, Statistics
from facerec.models.base import in_batches
from facerec.report import state_thresholds
from facerec.report.evaluation import show_evaluation, write_evaluation


class _Projection:
    embedding_dim = 32

    def __init__(self, seed: int) -> None:
        self.matrix = np.random.default_rng(seed).normal(size=(3 * 112 * 112, 32)).astype(np.float32)

    def embed(self, crops: Crops, batch_size: int = 256) -> NDArray[np.float32]:
        def project(batch: Crops) -> NDArray[np.float32]:
            vectors = (batch.reshape(len(batch), -1).astype(np.float32) - 110) @ self.matrix
            unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            return unit

        return in_batches(project, crops, self.embedding_dim, batch_size)


class _TwoProjections(Model):
    path = Path("somewhere/model")
    dim, size, fingerprint, statistics = 64, 1000, "ab" * 32, Statistics()
    members: Mapping[str, CropEmbedder] = MappingProxyType({"left": _Projection(1), "right": _Projection(2)})
    weights = np.array([0.6, 0.4], np.float32)

    def store(self, statistics: Statistics) -> None:
        raise NotImplementedError

    @property
    def embedder(self) -> CropEmbedder:
        raise NotImplementedError

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        raise NotImplementedError


def _pair_set() -> PairSet:
    random = np.random.default_rng(0)
    left, right = random.integers(0, 40, (2, 60))
    crops = random.integers(0, 256, (40, 3, 112, 112), dtype=np.uint8)
    return PairSet("agedb_30", crops, left, right, np.arange(60) % 3 == 0, tenths(60), np.arange(40))


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    cache, images = tmp_path_factory.mktemp("cache"), orl()
    settings: dict[str, Any] = {"resamples": 50, "seed": 0, "cache": cache, "batch_size": 64}
    settings |= {"fars": (1e-2, 1e-3, 1e-4), "fpirs": (1e-1, 1e-2)}
    crops = open_crops(images, cache, 0)
    evaluated = evaluate_model(
        _TwoProjections(), images, crops, split="test", attributes=None, pair_sets=[_pair_set()], **settings
    )
    moments = {"mean": [0.3, 0.2], "covariance": [[0.01, 0], [0, 0.01]]}
    pairs = {"train": {"genuine": moments, "impostor": moments}}
    made_of = {"members": ["left", "right"], "weights": [0.6, 0.4], "weighting": "fisher", "split": "train"}
    evaluated.results.update(
        model="somewhere/model",
        fingerprint=_TwoProjections.fingerprint,
        trained_on="orl",
        shared_identities=0,
        flip=True,
        ensemble={**made_of, "pairs": pairs},
        teachers={"left": {"name": "sface", "licence": "Apache-2.0", "trained_on": None}},
    )
    return evaluated


def test_the_page_speaks_the_language_of_the_field(evaluated: Evaluated, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_evaluation(file, evaluated, {"left": tmp_path, "right": tmp_path})
    state_thresholds(file, "The model uses <these> thresholds.")
    page = file.read_text()
    assert "left was taught by sface (licence: Apache-2.0; training" in page
    for title in ("ROC curve", "Reliability diagram", "Similarity distributions", "Similarities under two members"):
        assert f"<h3>{title}</h3>" in page
    assert "Are probabilities what they say?" in page
    assert "Hardest genuine pairs" in page
    assert "<h3>agedb_30</h3>" in page
    assert "60 pairs of 40 images, 40 of them impostor\npairs.</p>" in page
    assert page.count("<th>TAR@FAR=") == 3  # of the data set; 40 impostor pairs tell no rate of 1 %
    assert "of a crop and its mirror image (flip=true)" in page
    assert "10 people of data set orl\n(test), none of whom the model was trained on." in page
    assert '<p id="thresholds">The model uses &lt;these&gt; thresholds.</p>' in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_terminal_shows_each_system_and_the_gain_of_the_ensemble(
    evaluated: Evaluated, capsys: pytest.CaptureFixture[str]
) -> None:
    show_evaluation(evaluated.results, Path("somewhere"), "The model has no thresholds.")
    shown = capsys.readouterr().out
    assert "10 people of orl (test), never seen in training" in shown
    assert all(f"│ {name} " in shown for name in ("left", "right", "concatenation", "ensemble"))
    assert "ensemble over concatenation: " in shown
    assert "agedb_30: 60" in shown
    assert ", with mirror images" in shown
    assert "report: somewhere/report.html" in shown
