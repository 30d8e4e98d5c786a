"""The names that AdaFace's networks have for the parameters of iresnets (Kim et al., arXiv 2204.00964)."""

import re
from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

_LAYERS: dict[str, list[str | None]] = {
    "input_layer": ["conv1", "bn1", "prelu"],
    "output_layer": ["bn2", None, None, "fc", "features"],
    "res_layer": ["bn1", "conv1", "bn2", "prelu", "conv2", "bn3"],
    "shortcut_layer": ["downsample.0", "downsample.1"],
}
_STAGES = {64: 1, 128: 2, 256: 3, 512: 4}  # by the channels that come out of a block
_NAME = re.compile(r"(?:.*\.)?(?:body\.(\d+)\.(res_layer|shortcut_layer)|(input_layer|output_layer))\.(\d+)\.(\w+)")
_EPS = 1e-5  # of batch normalisation


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of AdaFace by arcface_torch's names; nothing if they are not AdaFace's.

    AdaFace's first block takes each second pixel as its shortcut, where arcface_torch has a convolution and a
    normalisation: those get the weights with which they do the same.
    """
    named = [(match.groups(), value) for name, value in tensors.items() if (match := _NAME.fullmatch(name))]
    widths = {
        int(block): len(value)
        for (block, kind, _, place, what), value in named
        if kind == "res_layer" and (place, what) == ("4", "weight")
    }
    if not widths or not all(width in _STAGES for width in widths.values()):
        return {}
    stages, blocks, count = {}, {}, Counter[int]()
    for number in sorted(widths):
        stages[number] = _STAGES[widths[number]]
        blocks[number] = count[stages[number]]
        count[stages[number]] += 1
    names = {}
    for (block, kind, outside, place, what), value in named:
        layers = _LAYERS[kind or outside]
        layer = layers[int(place)] if int(place) < len(layers) else None
        if layer:
            where = f"layer{stages[int(block)]}.{blocks[int(block)]}." if block else ""
            names[f"{where}{layer}.{what}"] = value
    first = min(widths)
    if not any(name.startswith("layer1.0.downsample") for name in names):
        names |= {f"layer1.0.downsample.{name}": value for name, value in _nothing(widths[first]).items()}
    if "features.running_mean" in names and "features.weight" not in names:  # AdaFace's has neither scale nor shift
        mean = names["features.running_mean"]
        names |= {"features.weight": torch.ones_like(mean), "features.bias": torch.zeros_like(mean)}
    return names


def _nothing(width: int) -> dict[str, Tensor]:
    """A convolution and a normalisation that change nothing."""
    return {
        "0.weight": torch.eye(width)[:, :, None, None],
        "1.weight": torch.ones(width),
        "1.bias": torch.zeros(width),
        "1.running_mean": torch.zeros(width),
        "1.running_var": torch.full((width,), 1 - _EPS),
    }
