"""What an assembly logs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pytorch_lightning.loggers import Logger, WandbLogger


def log_ensemble(ensemble: Mapping[str, Any], logger: Logger) -> None:
    """Log the members' weights and how their similarities correlate; W&B gets a table of the members, too.

    Args:
        ensemble: that key of `statistics.json`.
        logger: where to.
    """
    names, pairs = ensemble["members"], ensemble["pairs"][ensemble["split"]]
    metrics = {f"weight/{name}": weight for name, weight in zip(names, ensemble["weights"], strict=True)}
    for kind in ("genuine", "impostor"):
        covariance = np.array(pairs[kind]["covariance"])
        deviation = np.sqrt(covariance.diagonal())
        correlation = covariance / np.outer(deviation, deviation)
        for k, name in enumerate(names):
            metrics |= {f"correlation/{kind}/{name}, {names[j]}": float(correlation[k, j]) for j in range(k)}
    logger.log_metrics(metrics)
    if isinstance(logger, WandbLogger):
        columns = ["member", "weight", "mean of genuine pairs", "mean of impostor pairs"]
        means = (pairs["genuine"]["mean"], pairs["impostor"]["mean"])
        rows = [list(row) for row in zip(names, ensemble["weights"], *means, strict=True)]
        logger.log_table("members", columns=columns, data=rows)
