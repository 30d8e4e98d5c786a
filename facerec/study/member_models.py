"""Members of an ensemble, of whatever make: opened, as modules of PyTorch, and where they came from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facerec.errors import ModelError
from facerec.models import Embedder, Model, open_model
from facerec.models.folder import CONTRACT
from facerec.models.onnx_module import OnnxEmbedder
from facerec.models.torch_module import torch_module
from facerec.runtime.device import find_device


def open_member(member: str | Path, device: str, *, offline: bool, accept_licence: bool) -> Model:
    """The model; an ONNX file on the CPU, for PyTorch will run it, and ONNX Runtime only checks that.

    Raises:
        ConfigError, ModelError: as `open_model`.
    """
    ours = isinstance(member, Path) and (member / CONTRACT).exists()
    return open_model(member, device if ours else "cpu", offline=offline, accept_licence=accept_licence)


def member_network(name: str, model: Model, device: str) -> Embedder | OnnxEmbedder:
    """The module of an opened member, on the device.

    Raises:
        ModelError: it is an ensemble, or an ONNX network that can't be converted; names the member.
    """
    network = torch_module(model, find_device(device))
    if not isinstance(network, Embedder | OnnxEmbedder):
        raise ModelError(f"member {name}: {model.path} is an ensemble; give its members")
    return network


def origin_of(members: Mapping[str, Model], dataset: str) -> dict[str, Any]:
    """Where the members of an ensemble came from, and what their licences ask of who uses it.

    Args:
        members: by name.
        dataset: on whose identities the weights were found.
    """
    origin: dict[str, Any] = {"members": {name: str(model.path) for name, model in members.items()}}
    if licences := {name: licence for name, model in members.items() if (licence := model.origin.get("licence"))}:
        origin["licences"] = licences
    if taught := {name: teacher for name, model in members.items() if (teacher := model.teachers.get("model"))}:
        origin["teachers"] = taught
    if any(model.origin.get("non_commercial") for model in members.values()):
        origin["non_commercial"] = True
    return {**origin, "dataset": dataset}
