"""Save a network as a model folder, and load it again. What needs no torch for that is in `folder`."""

import re
from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
import yaml
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from facerec.backbones import Backbone, find_backbone
from facerec.errors import ModelError
from facerec.models import building, contract
from facerec.models.embedder import Embedder
from facerec.models.ensemble import Ensemble, check_weights
from facerec.models.folder import (
    CARD,
    CONTRACT,
    MEMBERS,
    ONNX,
    STATISTICS,
    TEACHER,
    WEIGHTS,
    as_json,
    digest,
    read_contract,
    read_file,
)
from facerec.models.onnx_module import OnnxEmbedder
from facerec.runtime.files import replace_folder

_DISPOSABLE = {".DS_Store", "Thumbs.db", "desktop.ini"}  # systems make them; they go with the model replaced


def save(
    folder: str | Path,
    embedder: Embedder | Ensemble,
    *,
    statistics: Mapping[str, Any],
    origin: Mapping[str, Any],
    trained_on: Mapping[str, Any] | None = None,
    teacher_axes: NDArray[np.float32] | None = None,
) -> None:
    """Write a model folder, completely or not at all.

    It is written and flushed beside `folder`, then moved there. A model already at `folder` is moved aside and then
    deleted; it stays if anything fails.

    Args:
        folder: to write; parents are made.
        embedder: an embedder or an ensemble; compiled or not, on any device. ONNX files of its members go with it.
        statistics: channel and pair statistics, thresholds, … : whatever JSON can hold.
        origin: where the model came from (data set, run, seed, …): plain values only. The versions of facerec
            and torch are added.
        trained_on: the data set: `dataset`, `function` and `arguments`, see `building.describe`; None: unknown.
        teacher_axes: `float32 [D, d]`, which project a teacher's vectors into the embedder's space, where they are
            longer than its own.

    Raises:
        ModelError: the embedder could not be loaded again, the values are not plain, something other than a
            model lies at `folder`, or the disk refuses.
    """
    folder = Path(folder).resolve()
    text, weights = check(folder, embedder, origin=origin, trained_on=trained_on)
    files = {CONTRACT: text, STATISTICS: as_json(statistics, folder), WEIGHTS: safetensors.torch.save(weights)}
    if teacher_axes is not None:
        files[TEACHER] = safetensors.numpy.save({"axes": teacher_axes})
    for index, part in enumerate(_parts(embedder)):
        if isinstance(part, OnnxEmbedder):
            files[building.network_file(index)] = part.content
    try:
        replace_folder(folder, files)
    except OSError as error:
        raise _unwritable(folder, error) from error


def check(
    folder: Path,
    embedder: Embedder | Ensemble,
    *,
    origin: Mapping[str, Any],
    trained_on: Mapping[str, Any] | None = None,
) -> tuple[bytes, dict[str, Tensor]]:
    """The checks of `save`, for those who want to know before they train whether a model can be saved.

    Returns:
        The contract as YAML, and the weights by name.

    Raises:
        ModelError: as `save`.
    """
    embedder = getattr(embedder, "_orig_mod", embedder)
    for part in _parts(embedder):
        if not isinstance(part, OnnxEmbedder) and find_backbone(type(part).__name__) is not type(part):
            raise ModelError(
                f"{folder}: {type(part)} is not registered, so no model of it could be opened: its package needs "
                f"an entry point {type(part).__name__} in the group facerec.backbones; see docs/extending.md"
            )
    terms = _described(embedder, origin, trained_on)
    contract.check(terms, folder / CONTRACT)
    weights = _weights(embedder)
    names = getattr(embedder, "names", ())
    networks = {
        name: part for name, part in zip(names, _parts(embedder), strict=False) if isinstance(part, OnnxEmbedder)
    }
    _check_fit(building.build(terms, folder / CONTRACT, networks), weights, folder / WEIGHTS)
    if others := _other_files(folder):
        cure = "move it or choose another folder"
        raise ModelError(f"{folder}: holds {brief(others)}, which does not belong to a model; {cure}")
    try:
        return contract.dump(terms).encode(), weights
    except yaml.YAMLError as error:
        raise ModelError(f"{folder}: origin must be plain numbers, strings, lists and dicts: {error}") from error


def load(folder: str | Path, device: str | torch.device = "cpu") -> Embedder | Ensemble:
    """Read a model folder.

    Args:
        folder: as written by `save`.
        device: where the embedder goes.

    Returns:
        The embedder or ensemble, in evaluation mode.

    Raises:
        ModelError: a file is missing, damaged, not of this format, or the files don't fit each other. Only
            backbones of this package, and those that an installed one registers, are built, whatever `model.yaml`
            says.
    """
    folder = Path(folder)
    embedder = building.build(read_contract(folder), folder / CONTRACT)
    weights = _read_weights(folder / WEIGHTS)
    _check_fit(embedder, weights, folder / WEIGHTS)
    embedder.load_state_dict(weights)
    return embedder.to(device).eval()


def read_teacher_axes(folder: str | Path, teacher: str) -> NDArray[np.float32] | None:
    """What a teacher's vectors were projected to when it taught the model: `float32 [D, d]`.

    Args:
        folder: as written by `save`.
        teacher: fingerprint of the teacher.

    Returns:
        None if it was another teacher, or none, or its vectors were not projected.

    Raises:
        ModelError: a file is missing or damaged.
    """
    file, origin = Path(folder) / TEACHER, read_contract(folder).get("origin") or {}
    if not file.exists() or (origin.get("teacher") or {}).get("fingerprint") != teacher:
        return None
    try:
        axes: NDArray[np.float32] = safetensors.numpy.load(read_file(file))["axes"]
    except (SafetensorError, KeyError) as error:
        raise ModelError(f"{file}: is damaged ({error}); copy or save the model again") from error
    return axes


def fingerprint_of(embedder: Embedder | Ensemble) -> str:
    """The `fingerprint` of the folder that the embedder or ensemble would be saved to."""
    return digest(_described(embedder, {}), safetensors.torch.save(_weights(embedder)))


def _described(
    embedder: Embedder | Ensemble, origin: Mapping[str, Any], trained_on: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    if not isinstance(embedder, Ensemble):
        return building.describe(_parts(embedder)[0], origin, trained_on)  # type: ignore[arg-type]
    fingerprints = [
        part.fingerprint if isinstance(part, OnnxEmbedder) else fingerprint_of(member)  # type: ignore[arg-type]
        for part, member in zip(_parts(embedder), embedder.embedders, strict=True)
    ]
    return building.describe(embedder, origin, trained_on, fingerprints)


def _parts(embedder: Embedder | Ensemble) -> list[Backbone | OnnxEmbedder]:
    """The backbone, or the backbones and ONNX networks of the members."""
    embedder = getattr(embedder, "_orig_mod", embedder)
    return [building.part_of(m) for m in (embedder.embedders if isinstance(embedder, Ensemble) else [embedder])]


def _weights(embedder: Embedder | Ensemble) -> dict[str, Tensor]:
    """Names as without compiling, on the CPU."""
    state = embedder.state_dict().items()
    return {name.replace("_orig_mod.", ""): tensor.cpu().contiguous() for name, tensor in state}


def _other_files(folder: Path) -> list[str]:
    """Names of what lies in `folder` and is not of a model."""
    try:
        # `.FILE.XXXXXXXX.new` is left by a `replace_file` that was killed
        files = [file for file in folder.iterdir() if not file.match(".*.new")] if folder.exists() else []
        networks = list((folder / MEMBERS).iterdir()) if (folder / MEMBERS).is_dir() else []
    except OSError as error:
        raise _unwritable(folder, error) from error
    names = {file.name for file in files} - ({MEMBERS} if (folder / MEMBERS).is_dir() else set())
    names |= {f"{MEMBERS}/{file.name}" for file in networks if not re.fullmatch(r"\d+\.onnx", file.name)}
    return sorted(names - {CARD, CONTRACT, STATISTICS, WEIGHTS, ONNX, TEACHER} - _DISPOSABLE)


def _unwritable(folder: Path, error: OSError) -> ModelError:
    return ModelError(f"{folder}: can't be written ({error}); free space or choose another folder")


def _read_weights(path: Path) -> dict[str, Tensor]:
    content = read_file(path)
    try:
        return safetensors.torch.load(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{path}: is damaged or cut short ({error}); copy or save the model again") from error


def _check_fit(embedder: Embedder | Ensemble, weights: Mapping[str, Tensor], path: Path) -> None:
    wanted = {name: _form(tensor) for name, tensor in embedder.state_dict().items()}
    stored = {name: _form(tensor) for name, tensor in weights.items()}
    names = [name for name in {**wanted, **stored} if wanted.get(name) != stored.get(name)]
    if names:
        lines = [f"{name}: {stored.get(name, 'none')}, wants {wanted.get(name, 'none')}" for name in names[:3]]
        lines += [f"and {len(names) - 3} more"] if len(names) > 3 else []
        listed = "".join(f"\n  {line}" for line in lines)
        raise ModelError(f"{path}: does not fit {CONTRACT}; take both from one save{listed}")
    if isinstance(embedder, Ensemble):
        try:
            check_weights(weights["weights"])
        except ValueError as error:
            raise ModelError(f"{path}: the members' {error}; save or copy the model again") from error


def _form(tensor: Tensor) -> str:
    return f"{'float' if tensor.is_floating_point() else 'int'} {list(tensor.shape)}"
