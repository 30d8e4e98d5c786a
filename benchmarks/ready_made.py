"""Milliseconds that each ready-made model takes for a crop, one at a time and eight at once.

OMP_NUM_THREADS=1 python benchmarks/ready_made.py models=sface,sface_int8,mobilefacenet rounds=20
"""

import os
from functools import partial

import numpy as np
from side_by_side import options, record, seconds

from facerec.models import open_model

BATCH = 8


def main() -> None:
    """Print a figure for each model and batch."""
    given = options(models="sface,sface_int8,mobilefacenet", rounds=20)
    crops = np.random.default_rng(0).integers(0, 256, (BATCH, 3, 112, 112), dtype=np.uint8)
    embedders = {name: open_model(name, "cpu").embed for name in given["models"].split(",")}
    figures: dict[str, float] = {}
    for count in (1, BATCH):
        contenders = {name: partial(embed, crops[:count]) for name, embed in embedders.items()}
        durations = seconds(contenders, given["rounds"])
        figures |= {f"{name}, ms a crop of {count}": 1000 * value / count for name, value in durations.items()}
    record(f"ready-made models, {os.environ.get('OMP_NUM_THREADS', 'all')} threads", figures, "")


if __name__ == "__main__":
    main()
