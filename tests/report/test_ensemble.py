import csv
from pathlib import Path

import numpy as np
import pytest
from pytorch_lightning.loggers import CSVLogger

from facerec.report import log_ensemble


def test_weights_and_correlations_are_logged(tmp_path: Path) -> None:
    similarities = np.random.default_rng(0).normal(size=(2, 50, 3))
    pairs = {
        kind: {"mean": values.mean(axis=0).tolist(), "covariance": np.cov(values.T, bias=True).tolist()}
        for kind, values in zip(("genuine", "impostor"), similarities, strict=True)
    }
    names, weights = ["a", "b", "c"], [0.5, 0.3, 0.2]
    logger = CSVLogger(tmp_path, name="", version="")
    log_ensemble({"members": names, "weights": weights, "split": "val", "pairs": {"val": pairs}}, logger)
    logger.save()
    [row] = csv.DictReader((tmp_path / "metrics.csv").open(newline=""))
    assert [float(row[f"weight/{name}"]) for name in names] == weights
    expected = np.corrcoef(similarities[1].T)[2, 0]
    assert float(row["correlation/impostor/c, a"]) == pytest.approx(expected)
    assert sum(key.startswith("correlation/") for key in row) == 6
