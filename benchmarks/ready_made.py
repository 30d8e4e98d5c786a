"""Milliseconds that each ready-made model takes for a crop, one at a time and eight at once.

OMP_NUM_THREADS=1 python benchmarks/ready_made.py models=sface,sface_int8,mobilefacenet rounds=20
"""

import os
from functools import partial

import numpy as np
from results import Figure, record
from timing import options, seconds

from facerec.models import open_model

BATCH = 8


def main() -> None:
    """Print a figure for each model and batch."""
    given = options(models="sface,sface_int8,mobilefacenet", rounds=20)
    crops = np.random.default_rng(0).integers(0, 256, (BATCH, 3, 112, 112), dtype=np.uint8)
    embedders = {name: open_model(name, "cpu").embed for name in given["models"].split(",")}
    figures, threads = [], os.environ.get("OMP_NUM_THREADS", "all")
    for count in (1, BATCH):
        contenders = {name: partial(embed, crops[:count]) for name, embed in embedders.items()}
        durations = seconds(contenders, given["rounds"])
        for name, value in durations.items():
            what = f"embedding with {name}, {count} at once, threads: {threads}"
            figures.append(Figure(what, "ms a crop", 1000 * value / count, less=True))
    record(figures)


if __name__ == "__main__":
    main()
