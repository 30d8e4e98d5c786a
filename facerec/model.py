"""A model on disk: a folder with `model.yaml`, `weights.safetensors` and `statistics.json`; nothing pickled."""

import hashlib
import inspect
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import safetensors.torch
import torch
import yaml
from torch import Tensor

from facerec import __version__
from facerec.backbones import BACKBONES
from facerec.crop import CropContract
from facerec.embedder import Embedder
from facerec.errors import FacerecError, ModelError

FORMAT = 1
_SPEC, _WEIGHTS, _STATISTICS = "model.yaml", "weights.safetensors", "statistics.json"
_CONTRACT = {"format": FORMAT, "kind": "embedder", "crop": asdict(CropContract())}
_KEYS = ("format", "kind", "backbone", "crop", "embedding_dim", "origin")
_HEADING = """\
# A face embedder. In Python: facerec.load("this folder").embed(crops)
# The vectors are decided by format, kind, backbone, crop and weights.safetensors; origin is for the reader.
"""


def save(
    folder: str | Path, embedder: Embedder, *, statistics: Mapping[str, Any], origin: Mapping[str, Any]
) -> None:
    """Write a model folder, whole or not at all.

    It is written and flushed beside `folder`, then moved there; a model already at `folder` is put aside for
    that moment, deleted afterwards, and stays if anything fails.

    Args:
        folder: where to; parents are made.
        embedder: what to save; compiled or not, on any device.
        statistics: channel and pair statistics, thresholds, … : whatever JSON can hold.
        origin: where the model came from (data set, run, seed, …): plain values only. The versions of facerec
            and torch are added.

    Raises:
        ModelError: the embedder could not be loaded again, the values are not plain, something other than a
            model lies at `folder`, or the disk refuses.
    """
    folder = Path(folder).resolve()
    embedder = getattr(embedder, "_orig_mod", embedder)
    backbone = getattr(embedder.backbone, "_orig_mod", embedder.backbone)
    spec = {
        **_CONTRACT,
        "backbone": {"class": type(backbone).__name__, **backbone.options},
        "embedding_dim": embedder.embedding_dim,
        "origin": {**origin, "facerec": __version__, "torch": str(torch.__version__)},
    }
    spec = {key: spec[key] for key in _KEYS}
    _build(spec, folder / _SPEC)
    weights = {name.replace("_orig_mod.", ""): tensor for name, tensor in embedder.state_dict().items()}
    try:
        files = {
            _SPEC: (_HEADING + yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)).encode(),
            _STATISTICS: (json.dumps(statistics, indent=1) + "\n").encode(),
            _WEIGHTS: safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in weights.items()}),
        }
    except (yaml.YAMLError, TypeError, ValueError) as error:
        message = f"statistics and origin must be plain numbers, strings, lists and dicts: {error}"
        raise ModelError(f"{folder}: {message}") from error
    try:
        _replace_folder(folder, files)
    except OSError as error:
        raise ModelError(f"{folder}: can't be written ({error}); free space or choose another folder") from error


def load(folder: str | Path, device: str | torch.device = "cpu") -> Embedder:
    """Read a model folder.

    Args:
        folder: as written by `save`.
        device: where the embedder goes.

    Returns:
        The embedder, in evaluation mode.

    Raises:
        ModelError: a file is missing, damaged, not of this format, or the files don't fit each other. Only
            backbones of this package are built, whatever `model.yaml` says.
    """
    folder = Path(folder)
    spec = _read_spec(folder)
    embedder = _build(spec, folder / _SPEC)
    weights = _read_weights(folder / _WEIGHTS)
    _check_fit(embedder.state_dict(), weights, folder / _WEIGHTS)
    embedder.to_empty(device=device).load_state_dict(weights)
    return embedder.eval()


def read_statistics(folder: str | Path) -> dict[str, Any]:
    """What `save` was given as statistics.

    Raises:
        ModelError: the file is missing or damaged.
    """
    path = Path(folder) / _STATISTICS
    try:
        statistics = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is damaged ({error}); copy or save the model again") from error
    if not isinstance(statistics, dict):
        raise ModelError(f"{path}: must hold an object, not {type(statistics).__name__}")
    return statistics


def fingerprint(folder: str | Path) -> str:
    """SHA-256, in hex, of what decides the vectors: format, kind, backbone, crop and weights.

    Raises:
        ModelError: as `load`, except that the weights are not checked.
    """
    folder = Path(folder)
    spec = _read_spec(folder)
    decisive = {key: spec[key] for key in ("format", "kind", "backbone", "crop")}
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode())
    digest.update(hashlib.sha256(_read(folder / _WEIGHTS)).digest())
    return digest.hexdigest()
