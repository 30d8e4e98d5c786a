"""Embedding crops with a trained ensemble beside eager float32: what `identify` does, and what else there is.

python benchmarks/embedding.py model=outputs/orl/ensemble/model crops=64 rounds=5 compile=True
"""

import copy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from results import Figure, record
from timing import options, seconds

from facerec.data import open_crops, orl
from facerec.models import load, open_model


def main() -> None:
    """Print crops/s and cosines to eager float32."""
    given = options(model="outputs/orl/ensemble/model", crops=64, rounds=5, compile="False")
    folder, cache = Path(given["model"]), Path("outputs/cache")
    images = orl()
    rows = images.rows("test")[: given["crops"]]
    crops = open_crops(images, cache, 0)[rows]
    eager = load(folder)
    channels_last = copy.deepcopy(eager).to(memory_format=torch.channels_last)
    model = open_model(folder, "cpu", cache)
    results: dict[str, NDArray[np.float32]] = {}

    def run(name: str, net: torch.nn.Module, reduced: bool = False) -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            results[name] = net(torch.from_numpy(crops)).float().numpy()

    def identify() -> None:
        results["identify (ONNX Runtime)"] = model.embed(crops)

    contenders = {
        "eager float32": lambda: run("eager float32", eager),
        "channels last": lambda: run("channels last", channels_last),
        "bf16": lambda: run("bf16", channels_last, reduced=True),
        "identify (ONNX Runtime)": identify,
    }
    if given["compile"] == "True":
        compiled = torch.compile(channels_last)
        contenders["compiled"] = lambda: run("compiled", compiled)
    timings = seconds(contenders, given["rounds"])
    eager_rate = {"eager float32": len(crops) / timings.pop("eager float32")}
    figures = []
    for name, value in timings.items():
        what = f"embedding {len(crops)} crops with {folder}: {name}"
        goals = {"eager float32": 2.0} if name == "identify (ONNX Runtime)" else {}
        figures.append(Figure(what, "crops/s", len(crops) / value, eager_rate, goals))
        cosine = float((results[name] * results["eager float32"]).sum(1).min())
        figures.append(Figure(f"{what}, lowest cosine", "", cosine, limit=0.999))
    record(figures)


if __name__ == "__main__":
    main()
