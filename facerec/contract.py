"""The contract of a model, `model.yaml`: what to build, which crops it wants, where it came from."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import torch
import yaml

from facerec import __version__
from facerec.backbones import BACKBONES, Backbone
from facerec.crop import CropContract
from facerec.embedder import Embedder
from facerec.errors import FacerecError, ModelError

_FIXED = {"format": 1, "kind": "embedder", "crop": asdict(CropContract())}
_KEYS = ("format", "kind", "backbone", "crop", "embedding_dim", "origin")
_HEADING = """\
# A face embedder. In Python: facerec.load("this folder").embed(crops)
# Format, kind, backbone, crop and weights.safetensors decide the vectors; origin is for the reader.
"""


def describe(backbone: Backbone, origin: Mapping[str, Any]) -> dict[str, Any]:
    """The contract of an embedder with this backbone; origin is joined by the versions of facerec and torch."""
    contract = {
        **_FIXED,
        "backbone": {"class": type(backbone).__name__, **backbone.options},
        "embedding_dim": backbone.out_features,
        "origin": {**origin, "facerec": __version__, "torch": str(torch.__version__)},
    }
    return {key: contract[key] for key in _KEYS}


def dump(contract: Mapping[str, Any]) -> str:
    """The text of `model.yaml`.

    Raises:
        yaml.YAMLError: a value is not plain.
    """
    return _HEADING + yaml.safe_dump(dict(contract), sort_keys=False, allow_unicode=True)


def parse(content: bytes, path: Path) -> dict[str, Any]:
    """The contract in `model.yaml`, checked.

    Raises:
        ModelError: it is not plain YAML, or `check` refuses it.
    """
    try:
        contract = yaml.safe_load(content)
    except Exception as error:  # PyYAML lets ValueError, KeyError, RecursionError and more through
        raise ModelError(f"{path}: is not plain YAML; restore or save the model again. {error}") from error
    check(contract, path)
    parsed: dict[str, Any] = contract
    return parsed


def check(contract: Any, path: Path) -> None:
    """Refuse whatever `build` can't take at its word.

    Raises:
        ModelError: names the file and the key that is missing, unknown, of the wrong type or of another format.
    """
    _check_keys(contract, _KEYS, path, "")
    for key, ours in _FIXED.items():
        if type(contract[key]) is not type(ours) or contract[key] != ours:
            cure = "use the facerec that wrote it, or train again with this one"
            raise ModelError(f"{path}: {key} is {brief(contract[key])}, this facerec wants {ours}; {cure}")
    backbone = contract["backbone"]
    name = backbone.get("class") if isinstance(backbone, dict) else None
    if not isinstance(name, str) or name not in BACKBONES:
        known = ", ".join(BACKBONES)
        raise ModelError(f"{path}: backbone.class must be one of {known}, not {brief(name)}; nothing else is built")
    options = inspect.signature(BACKBONES[name], eval_str=True).parameters
    _check_keys(backbone, ("class", *options), path, "backbone.")
    for key, option in options.items():
        if type(backbone[key]) is not option.annotation:
            wanted = option.annotation.__name__
            raise ModelError(f"{path}: backbone.{key} must be of type {wanted}, not {brief(backbone[key])}")


def build(contract: Mapping[str, Any], path: Path) -> Embedder:
    """The embedder of a checked contract, on the CPU: its weights and statistics are still to come.

    Raises:
        ModelError: there is no such backbone.
    """
    options = dict(contract["backbone"])
    cls = BACKBONES[options.pop("class")]
    try:
        with torch.random.fork_rng(devices=[]):  # the initial weights must not move the caller's random numbers
            embedder = Embedder(cls(**options), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    except FacerecError as error:
        raise ModelError(f"{path}: backbone can't be built: {error}") from error
    if contract["embedding_dim"] != embedder.embedding_dim:
        there, here = brief(contract["embedding_dim"]), embedder.embedding_dim
        raise ModelError(f"{path}: embedding_dim is {there}, but this backbone gives {here}")
    return embedder


def _check_keys(mapping: Any, keys: Sequence[str], path: Path, prefix: str) -> None:
    if not isinstance(mapping, dict):
        raise ModelError(f"{path}: must hold the keys {', '.join(keys)}; restore or save the model again")
    for key in keys:
        if key not in mapping:
            raise ModelError(f"{path}: {prefix}{key} is missing; restore or save the model again")
    for key in mapping:
        if key not in keys:
            raise ModelError(f"{path}: {prefix}{brief(key)} is unknown; remove it or use the facerec that wrote it")
