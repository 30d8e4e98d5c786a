"""Weights of a network as others publish them, in a file of PyTorch."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facerec.backbones import Backbone
from facerec.errors import ModelError
from facerec.models.adaface_names import renamed

_SHOWN = 4
_COUNTER = ".num_batches_tracked"  # of batch normalisation in training; old files lack it


def load_published(file: Path, backbone: Backbone) -> None:
    """Fill a backbone with the weights of a `.pth`, `.pt` or `.ckpt` file, which is read without running code.

    They may lie in it under any name or prefix (`state_dict`, `module.`, `backbone.`), among others, as a head's.
    Those of an iresnet may have AdaFace's names.

    Args:
        file: to read.
        backbone: whose parameters have the names and shapes of the file's.

    Raises:
        ModelError: the file can't be read, or its weights are not those of such a network.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a cut or damaged pickle raises whatever its bytes happen to mean
        raise ModelError(f"{file}: can't be read as weights, without running code of it ({error})") from error
    wanted = backbone.state_dict()
    # the largest part of it that has our names
    collections = [part for tensors in _collections(content) for part in (tensors, renamed(tensors))]
    parts = [_matching(tensors, wanted) for tensors in collections]
    named = max(parts, key=len, default={})
    name = type(backbone).__name__
    missing = [key for key in wanted if key not in named and not key.endswith(_COUNTER)]
    if not named:
        raise ModelError(f"{file}: holds no weights of {name} {backbone.options}; choose another backbone")
    if deeper := [key for key in named if key not in wanted]:
        raise ModelError(f"{file}: has {_listed(deeper)}, which {name} {backbone.options} has not; choose another")
    if missing:
        raise ModelError(f"{file}: lacks {_listed(missing)} of {name} {backbone.options}; choose another backbone")
    if other := [key for key, value in named.items() if value.shape != wanted[key].shape]:
        shapes = ", ".join(f"{key} is {[*named[key].shape]}, not {[*wanted[key].shape]}" for key in other[:_SHOWN])
        raise ModelError(f"{file}: does not fit {name} {backbone.options}: {shapes}")
    backbone.load_state_dict({**wanted, **named})


def swap_colours(backbone: Backbone) -> None:
    """Let a network that was trained on blue, green, red take red, green, blue: its first convolution is turned."""
    first = next(weight for weight in backbone.state_dict().values() if weight.dim() == 4)
    first.copy_(first.flip(1).clone())


def _collections(content: Any) -> Iterator[Mapping[str, Tensor]]:
    """All mappings from names to tensors in what a file holds."""
    if not isinstance(content, Mapping):
        return
    yield {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    for value in content.values():
        yield from _collections(value)


def _matching(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those with the wanted names behind one prefix, which is left out: the prefix with most of them.

    What else belongs to parts of these names, such as further blocks of a deeper network, stays among them.
    """
    first = next(iter(wanted))
    prefixes = {key.removesuffix(first) for key in tensors if key.endswith(first)}
    parts = {key.partition(".")[0] for key in wanted}
    matching = [
        {
            key.removeprefix(prefix): value
            for key, value in tensors.items()
            if key.startswith(prefix) and key.removeprefix(prefix).partition(".")[0] in parts
        }
        for prefix in prefixes
    ]
    return max(matching, key=len, default={})


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
