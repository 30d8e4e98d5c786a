"""The contract of a model, `model.yaml`: what to build, which crops it takes, where it came from.

There are two kinds: an embedder has one `backbone`, an ensemble has a list of named `members`, each with its own.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import torch
import yaml

from facerec._version import __version__
from facerec.backbones import BACKBONES, Backbone
from facerec.crops.contract import CropContract
from facerec.errors import FacerecError, ModelError
from facerec.models.embedder import Embedder
from facerec.models.ensemble import Ensemble

FORMAT = 2  # what is written; 1, which can be read, lacks trained_on and the members' fingerprints
_CROP = asdict(CropContract())
_KEYS = {
    "embedder": ("format", "kind", "backbone", "crop", "embedding_dim", "trained_on", "origin"),
    "ensemble": ("format", "kind", "members", "crop", "embedding_dim", "trained_on", "origin"),
}
_MEMBER_KEYS = ("name", "backbone", "embedding_dim", "fingerprint")
_TRAINED_ON_KEYS = ("dataset", "function", "arguments")
_SINCE_2 = {"trained_on", "fingerprint"}
_MOST_MEMBERS = 64  # a line repeated by mistake must not fill the memory
_CURE = "use the facerec that wrote it, or train again with this one"
_HEADING = """\
# A face {kind}. In Python: facerec.load("this folder").embed(crops)
# Kind, {what}, crop and weights.safetensors decide the vectors; the rest is for the reader.
"""


def describe(
    model: Backbone | Ensemble,
    origin: Mapping[str, Any],
    trained_on: Mapping[str, Any] | None = None,
    fingerprints: Sequence[str] = (),
) -> dict[str, Any]:
    """The contract of an embedder with this backbone, or of this ensemble.

    Args:
        model: to describe.
        origin: where it came from; the versions of facerec and torch are added.
        trained_on: `dataset`, a name, `function`, which makes that data set, and its `arguments`; None: unknown.
        fingerprints: of an ensemble's members.
    """
    if isinstance(model, Ensemble):
        members = zip(model.names, model.embedders, fingerprints, strict=True)
        described = [
            {"name": name, **_described(member.backbone), "fingerprint": fingerprint}
            for name, member, fingerprint in members
        ]
        kind, body = "ensemble", {"members": described, "embedding_dim": model.embedding_dim}
    else:
        kind, body = "embedder", _described(model)
    versions = {"facerec": __version__, "torch": str(torch.__version__)}
    contract = {
        **{"format": FORMAT, "kind": kind, "crop": _CROP, **body},
        **{"trained_on": trained_on and dict(trained_on), "origin": {**origin, **versions}},
    }
    return {key: contract[key] for key in _KEYS[kind]}


def fingerprinted(contract: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a checked contract that decides the vectors: kind, backbones in order, crop.

    The format stays that of the first contracts, so that galleries go on with models that are saved again.
    """
    kept = {"format": 1, **{key: contract[key] for key in ("kind", "crop")}}
    if contract["kind"] == "ensemble":
        return {**kept, "members": [member["backbone"] for member in contract["members"]]}
    return {**kept, "backbone": contract["backbone"]}


def dump(contract: Mapping[str, Any]) -> str:
    """The text of `model.yaml`.

    Raises:
        yaml.YAMLError: a value is not plain.
    """
    kind = contract["kind"]
    heading = _HEADING.format(kind=kind, what=_KEYS[kind][2])
    return heading + yaml.safe_dump(dict(contract), sort_keys=False, allow_unicode=True)


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
    """Refuse a contract that `build` can't rely on.

    Raises:
        ModelError: names the file and the key that is missing, unknown, of the wrong type or of another format.
    """
    kind = contract.get("kind", "embedder") if isinstance(contract, dict) else "embedder"
    if not isinstance(kind, str) or kind not in _KEYS:
        raise ModelError(f"{path}: kind is {brief(kind)}, this facerec wants {' or '.join(_KEYS)}; {_CURE}")
    form = contract.get("format", FORMAT) if isinstance(contract, dict) else FORMAT
    if type(form) is not int or form not in (1, FORMAT):
        raise ModelError(f"{path}: format is {brief(form)}, this facerec wants 1 to {FORMAT}; {_CURE}")
    _check_keys(contract, _known(_KEYS[kind], form), path, "")
    if type(contract["crop"]) is not dict or contract["crop"] != _CROP:
        raise ModelError(f"{path}: crop is {brief(contract['crop'])}, this facerec wants {_CROP}; {_CURE}")
    if contract.get("trained_on") is not None:
        _check_keys(contract["trained_on"], _TRAINED_ON_KEYS, path, "trained_on.")
    if kind == "embedder":
        _check_backbone(contract["backbone"], path, "")
        return
    members = contract["members"]
    if not isinstance(members, list) or not 1 <= len(members) <= _MOST_MEMBERS:
        raise ModelError(f"{path}: members must be a list of 1 to {_MOST_MEMBERS}, not {brief(members)}")
    for index, member in enumerate(members):
        prefix = f"members[{index}]."
        _check_keys(member, _known(_MEMBER_KEYS, form), path, prefix)
        if not isinstance(member["name"], str) or member["name"] in [other["name"] for other in members[:index]]:
            raise ModelError(f"{path}: {prefix}name must be a string of its own, not {brief(member['name'])}")
        _check_backbone(member["backbone"], path, prefix)


def build(contract: Mapping[str, Any], path: Path) -> Embedder | Ensemble:
    """Build the model of a checked contract, on the CPU, with initial weights and no statistics.

    Raises:
        ModelError: there is no such backbone, or a dimension differs from the contract's.
    """
    with torch.random.fork_rng(devices=[]):  # the initial weights must not move the caller's random numbers
        if contract["kind"] == "embedder":
            return _build_embedder(contract, path, "")
        members = {
            member["name"]: _build_embedder(member, path, f"members[{index}].")
            for index, member in enumerate(contract["members"])
        }
    ensemble = Ensemble(members, [1 / len(members)] * len(members))
    _check_dim(contract, ensemble.embedding_dim, path, "", "these members give")
    return ensemble


def _known(keys: Sequence[str], form: int) -> list[str]:
    return [key for key in keys if form >= 2 or key not in _SINCE_2]


def _described(backbone: Backbone) -> dict[str, Any]:
    backbone = getattr(backbone, "_orig_mod", backbone)
    built = {"class": type(backbone).__name__, **backbone.options}
    return {"backbone": built, "embedding_dim": backbone.out_features}


def _check_backbone(backbone: Any, path: Path, prefix: str) -> None:
    prefix += "backbone."
    name = backbone.get("class") if isinstance(backbone, dict) else None
    if not isinstance(name, str) or name not in BACKBONES:
        known = ", ".join(BACKBONES)
        raise ModelError(f"{path}: {prefix}class must be one of {known}, not {brief(name)}; nothing else is built")
    options = inspect.signature(BACKBONES[name], eval_str=True).parameters
    _check_keys(backbone, ("class", *options), path, prefix)
    for key, option in options.items():
        if type(backbone[key]) is not option.annotation:
            wanted = option.annotation.__name__
            raise ModelError(f"{path}: {prefix}{key} must be of type {wanted}, not {brief(backbone[key])}")


def _build_embedder(terms: Mapping[str, Any], path: Path, prefix: str) -> Embedder:
    options = dict(terms["backbone"])
    cls = BACKBONES[options.pop("class")]
    try:
        embedder = Embedder(cls(**options), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    except FacerecError as error:
        raise ModelError(f"{path}: {prefix}backbone can't be built: {error}") from error
    _check_dim(terms, embedder.embedding_dim, path, prefix, "this backbone gives")
    return embedder


def _check_dim(terms: Mapping[str, Any], dim: int, path: Path, prefix: str, source: str) -> None:
    if terms["embedding_dim"] != dim:
        there = brief(terms["embedding_dim"])
        raise ModelError(f"{path}: {prefix}embedding_dim is {there}, but {source} {dim}")


def _check_keys(mapping: Any, keys: Sequence[str], path: Path, prefix: str) -> None:
    if not isinstance(mapping, dict):
        place = f"{prefix.removesuffix('.')} " if prefix else ""
        raise ModelError(f"{path}: {place}must hold the keys {', '.join(keys)}; restore or save the model again")
    for key in keys:
        if key not in mapping:
            raise ModelError(f"{path}: {prefix}{key} is missing; restore or save the model again")
    for key in mapping:
        if key not in keys:
            raise ModelError(f"{path}: {prefix}{brief(key)} is unknown; remove it or use the facerec that wrote it")
