"""The contract of a model, `model.yaml`: what to build, which crops it takes, where it came from.

There are two kinds: an embedder has one `backbone`, an ensemble has a list of named `members`, each with its own
`backbone` or with a `network`: an ONNX file in the folder, and how to feed it.
Needs no torch; `building` goes from here to a network.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import yaml

from facerec.crops.contract import CropContract
from facerec.errors import ModelError

FORMAT = 3  # what is written; 1 and 2 can be read, too
CROP = asdict(CropContract())
KEYS = {
    "embedder": ("format", "kind", "backbone", "crop", "embedding_dim", "trained_on", "origin"),
    "ensemble": ("format", "kind", "members", "crop", "embedding_dim", "trained_on", "origin"),
}
_MEMBER_KEYS = ("name", "backbone", "embedding_dim", "fingerprint")
_NETWORK_MEMBER_KEYS = ("name", "network", "embedding_dim", "fingerprint", "origin")
_DECIDING_KEYS = ("sha256", "colour", "mean", "std", "output")  # of a network
_NETWORK_KEYS = ("file", *_DECIDING_KEYS)
_NETWORK_FILE = re.compile(r"members/\d+\.onnx")
_TRAINED_ON_KEYS = ("dataset", "function", "arguments")
_SINCE = {"trained_on": 2, "fingerprint": 2, "network": 3}  # the format that brought a key; all others: 1
_MOST_MEMBERS = 64  # a line repeated by mistake must not fill the memory
_CURE = "use the facerec that wrote it, or train again with this one"
_HEADING = """\
# A face {kind}. In Python: facerec.load("this folder").embed(crops)
# Kind, {what}, crop and weights.safetensors decide the vectors; the rest is for the reader.
"""


def fingerprinted(contract: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a checked contract that decides the vectors: kind, backbones in order, crop.

    The format stays that of the first contracts, so that galleries go on with models that are saved again.
    """
    kept = {"format": 1, **{key: contract[key] for key in ("kind", "crop")}}
    if contract["kind"] == "ensemble":
        return {**kept, "members": [_deciding(member) for member in contract["members"]]}
    return {**kept, "backbone": contract["backbone"]}


def _deciding(member: Mapping[str, Any]) -> Any:
    if "network" not in member:
        return member["backbone"]
    return {"network": {key: member["network"][key] for key in _DECIDING_KEYS}}


def dump(contract: Mapping[str, Any]) -> str:
    """The text of `model.yaml`.

    Raises:
        yaml.YAMLError: a value is not plain.
    """
    kind = contract["kind"]
    heading = _HEADING.format(kind=kind, what=KEYS[kind][2])
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
    """Refuse a contract whose keys or values are wrong; only `building.build` knows which backbones there are.

    Raises:
        ModelError: names the file and the key that is missing, unknown, of the wrong type or of another format.
    """
    kind = contract.get("kind", "embedder") if isinstance(contract, dict) else "embedder"
    if not isinstance(kind, str) or kind not in KEYS:
        raise ModelError(f"{path}: kind is {brief(kind)}, this facerec wants {' or '.join(KEYS)}; {_CURE}")
    form = contract.get("format", FORMAT) if isinstance(contract, dict) else FORMAT
    if type(form) is not int or not 1 <= form <= FORMAT:
        raise ModelError(f"{path}: format is {brief(form)}, this facerec wants 1 to {FORMAT}; {_CURE}")
    check_keys(contract, _known(KEYS[kind], form), path, "")
    if type(contract["crop"]) is not dict or contract["crop"] != CROP:
        raise ModelError(f"{path}: crop is {brief(contract['crop'])}, this facerec wants {CROP}; {_CURE}")
    if type(contract["embedding_dim"]) is not int:
        raise ModelError(f"{path}: embedding_dim must be of type int, not {brief(contract['embedding_dim'])}")
    if contract.get("trained_on") is not None:
        check_keys(contract["trained_on"], _TRAINED_ON_KEYS, path, "trained_on.")
    if kind == "embedder":
        _check_backbone(contract["backbone"], path, "")
        return
    members = contract["members"]
    if not isinstance(members, list) or not 1 <= len(members) <= _MOST_MEMBERS:
        raise ModelError(f"{path}: members must be a list of 1 to {_MOST_MEMBERS}, not {brief(members)}")
    for index, member in enumerate(members):
        prefix = f"members[{index}]."
        foreign = isinstance(member, dict) and "network" in member and form >= _SINCE["network"]
        check_keys(member, _known(_NETWORK_MEMBER_KEYS if foreign else _MEMBER_KEYS, form), path, prefix)
        if not isinstance(member["name"], str) or member["name"] in [other["name"] for other in members[:index]]:
            raise ModelError(f"{path}: {prefix}name must be a string of its own, not {brief(member['name'])}")
        if foreign:
            _check_network(member, path, prefix)
        else:
            _check_backbone(member["backbone"], path, prefix)


def _known(keys: Sequence[str], form: int) -> list[str]:
    return [key for key in keys if _SINCE.get(key, 1) <= form]


def _check_backbone(backbone: Any, path: Path, prefix: str) -> None:
    plain = isinstance(backbone, dict) and all(
        isinstance(key, str) and isinstance(value, str | int | float) for key, value in backbone.items()
    )
    if not plain or "class" not in backbone:
        raise ModelError(f"{path}: {prefix}backbone must hold class and plain options, not {brief(backbone)}")


def _check_network(member: Mapping[str, Any], path: Path, prefix: str) -> None:
    network = member["network"]
    check_keys(network, _NETWORK_KEYS, path, f"{prefix}network.")
    right = {
        "file": isinstance(network["file"], str) and bool(_NETWORK_FILE.fullmatch(network["file"])),
        "sha256": isinstance(network["sha256"], str),
        "colour": network["colour"] in ("RGB", "BGR"),
        "mean": type(network["mean"]) in (int, float),
        "std": type(network["std"]) in (int, float) and network["std"] != 0,
        "output": isinstance(network["output"], str),
    }
    if wrong := [key for key, fits in right.items() if not fits]:
        raise ModelError(f"{path}: {prefix}network.{wrong[0]} can't be {brief(network[wrong[0]])}; {_CURE}")
    for key, kind in {"embedding_dim": int, "fingerprint": str, "origin": dict}.items():
        if type(member[key]) is not kind:
            raise ModelError(f"{path}: {prefix}{key} must be of type {kind.__name__}, not {brief(member[key])}")


def check_keys(mapping: Any, keys: Sequence[str], path: Path, prefix: str) -> None:
    """Refuse what does not hold exactly these keys.

    Args:
        mapping: from a contract.
        keys: all that it must have.
        path: of the contract, for messages.
        prefix: of the keys, such as "backbone."

    Raises:
        ModelError: names the key that is missing or unknown.
    """
    if not isinstance(mapping, dict):
        place = f"{prefix.removesuffix('.')} " if prefix else ""
        raise ModelError(f"{path}: {place}must hold the keys {', '.join(keys)}; restore or save the model again")
    for key in keys:
        if key not in mapping:
            raise ModelError(f"{path}: {prefix}{key} is missing; restore or save the model again")
    for key in mapping:
        if key not in keys:
            raise ModelError(f"{path}: {prefix}{brief(key)} is unknown; remove it or use the facerec that wrote it")
