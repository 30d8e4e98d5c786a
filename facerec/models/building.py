"""From a network to its contract, and from a contract to its network. Builds only registered backbones."""

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from reprlib import repr as brief
from types import MappingProxyType
from typing import Any

import torch

from facerec._version import __version__
from facerec.backbones import Backbone, backbone_names, find_backbone
from facerec.crops.contract import CROP_SIZE
from facerec.errors import FacerecError, ModelError
from facerec.models.contract import CROP, FORMAT, KEYS, check_keys
from facerec.models.crop_model import CropModel
from facerec.models.embedder import Embedder
from facerec.models.ensemble import Ensemble
from facerec.models.folder import read_file
from facerec.models.onnx_module import OnnxEmbedder


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
            {"name": name, **_described(part_of(member), index), "fingerprint": fingerprint}
            for index, (name, member, fingerprint) in enumerate(members)
        ]
        kind, body = "ensemble", {"members": described, "embedding_dim": model.embedding_dim}
    else:
        kind, body = "embedder", _described(model, 0)
    versions = {"facerec": __version__, "torch": str(torch.__version__)}
    contract = {
        **{"format": FORMAT, "kind": kind, "crop": CROP, **body},
        **{"trained_on": trained_on and dict(trained_on), "origin": {**origin, **versions}},
    }
    return {key: contract[key] for key in KEYS[kind]}


def part_of(embedder: CropModel) -> Backbone | OnnxEmbedder:
    """What is stored of an embedder beside its channel statistics, whether it is compiled or not."""
    embedder = getattr(embedder, "_orig_mod", embedder)
    if isinstance(embedder, OnnxEmbedder):
        return embedder
    backbone: Any = embedder.backbone
    part: Backbone = getattr(backbone, "_orig_mod", backbone)
    return part


def build(
    contract: Mapping[str, Any], path: Path, networks: Mapping[str, OnnxEmbedder] = MappingProxyType({})
) -> Embedder | Ensemble:
    """Build the network of a checked contract, on the CPU, with initial weights and no statistics.

    Args:
        contract: what to build.
        path: of the contract; ONNX files of members are read from beside it.
        networks: members that are there already, by name.

    Raises:
        ModelError: there is no such backbone, an option of it is missing, unknown or of the wrong type, or a
            dimension differs from the contract's; or an ONNX file is missing, damaged or can't be converted.
    """
    with torch.random.fork_rng(devices=[]):  # the initial weights must not move the caller's random numbers
        if contract["kind"] == "embedder":
            return _build_embedder(contract, path, "")
        members = {
            member["name"]: networks.get(member["name"]) or _build_member(member, path, f"members[{index}].")
            for index, member in enumerate(contract["members"])
        }
    ensemble = Ensemble(members, [1 / len(members)] * len(members))
    _check_dim(contract, ensemble.embedding_dim, path, "", "these members give")
    return ensemble


def network_file(index: int) -> str:
    """The file of a member's ONNX network, in the model folder."""
    return f"members/{index}.onnx"


def _described(part: Backbone | OnnxEmbedder, index: int) -> dict[str, Any]:
    if isinstance(part, OnnxEmbedder):
        fed = {key: part.terms[key] for key in ("colour", "mean", "std", "output")}
        network = {"file": network_file(index), "sha256": part.sha256, **fed}
        return {"network": network, "embedding_dim": part.embedding_dim, "origin": part.origin}
    return {"backbone": {"class": type(part).__name__, **part.options}, "embedding_dim": part.out_features}


def _class_of(backbone: Any, path: Path, prefix: str) -> type[Backbone]:
    """The class that a contract names, whose options are checked."""
    prefix += "backbone."
    name = backbone["class"]
    cls = find_backbone(name) if isinstance(name, str) else None
    if cls is None:
        known = ", ".join(backbone_names())
        raise ModelError(
            f"{path}: {prefix}class must be one of {known}, not {brief(name)}; nothing else is built, unless an "
            "installed package registers it"
        )
    arguments = inspect.signature(cls, eval_str=True).parameters
    options = {name: argument for name, argument in arguments.items() if name not in cls.initial}
    check_keys(backbone, ("class", *options), path, prefix)
    for key, option in options.items():
        if type(backbone[key]) is not option.annotation:
            wanted = option.annotation.__name__
            raise ModelError(f"{path}: {prefix}{key} must be of type {wanted}, not {brief(backbone[key])}")
    return cls


def _build_embedder(terms: Mapping[str, Any], path: Path, prefix: str) -> Embedder:
    cls = _class_of(terms["backbone"], path, prefix)
    options = {key: value for key, value in terms["backbone"].items() if key != "class"}
    try:
        embedder = Embedder(cls(**options), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    except FacerecError as error:
        raise ModelError(f"{path}: {prefix}backbone can't be built: {error}") from error
    _check_dim(terms, embedder.embedding_dim, path, prefix, "this backbone gives")
    return embedder


def _build_member(terms: Mapping[str, Any], path: Path, prefix: str) -> Embedder | OnnxEmbedder:
    if "network" not in terms:
        return _build_embedder(terms, path, prefix)
    network, file = terms["network"], path.parent / terms["network"]["file"]
    content = read_file(file)
    if (digest := hashlib.sha256(content).hexdigest()) != network["sha256"]:
        raise ModelError(
            f"{file}: is damaged or another network: its SHA-256 is {digest}, and {path.name} says "
            f"{network['sha256']}; copy or save the model again"
        )
    fed = {**network, "embedding_dim": terms["embedding_dim"]}
    embedder = OnnxEmbedder(content, fed, file, fingerprint=terms["fingerprint"], origin=terms["origin"])
    given = embedder(torch.zeros(1, 3, CROP_SIZE, CROP_SIZE, dtype=torch.uint8)).shape[1]
    _check_dim(terms, given, path, prefix, "this network gives")
    return embedder


def _check_dim(terms: Mapping[str, Any], dim: int, path: Path, prefix: str, source: str) -> None:
    if terms["embedding_dim"] != dim:
        there = brief(terms["embedding_dim"])
        raise ModelError(f"{path}: {prefix}embedding_dim is {there}, but {source} {dim}")
