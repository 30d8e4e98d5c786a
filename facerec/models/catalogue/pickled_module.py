"""Read the tensors of a module that was pickled with torch before 1.6, and build nothing.

Unpickling a module as torch does runs whatever the file says. Here each class of the module is a stand-in that
holds attributes, tensors are numpy arrays, and any other name in the file is refused.
"""

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facerec.errors import ModelError

_MAGIC = 0x1950A86A20F9469CFC6C  # torch/serialization.py, before zip files
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _StandIn:
    """A class of the file, which holds attributes and does nothing."""


class _Storage(NamedTuple):
    key: str
    values: NDArray[Any]


def read_tensors(file: Path) -> Mapping[str, NDArray[Any]]:
    """Name → array of all parameters and buffers, named as in the module's `state_dict`.

    Raises:
        ModelError: the file is damaged, or names something that a pickled network does not need.
    """
    content = io.BytesIO(file.read_bytes())
    try:
        magic, _, _ = (_Unpickler(content, file).load() for _ in range(3))
        if magic != _MAGIC:
            raise ModelError(f"{file}: is not a file that torch wrote before version 1.6")
        unpickler = _Unpickler(content, file)
        module, keys = unpickler.load(), _Unpickler(content, file).load()
        for key in keys:
            _fill(unpickler.storages[key].values, content)
        return dict(_tensors(module))
    except ModelError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise ModelError(f"{file}: is damaged ({type(error).__name__}: {error})") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: io.BytesIO, file: Path) -> None:
        super().__init__(content)
        self._file, self._most = file, content.getbuffer().nbytes
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name of the file."""
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if (module, name) in _FUNCTIONS:
            return _FUNCTIONS[module, name]
        if module.startswith(("torch.nn.modules.", "torch.nn.parallel.", "models.network_def.")):
            return type(name, (_StandIn,), {})
        raise ModelError(f"{self._file}: is refused: it names {module}.{name}, which no network needs")

    def persistent_load(self, pid: Any) -> Any:
        """A storage, whose values come after the pickle; or a class that was stored with its source code."""
        if pid[0] == "module":
            return pid[1]
        _, dtype, key, _, length, view = pid
        if view is not None or not 0 <= length * dtype.itemsize <= self._most:
            raise ModelError(f"{self._file}: is damaged: a storage of {length} values")
        return self.storages.setdefault(key, _Storage(key, np.empty(length, dtype)))


def _rebuild_tensor(storage: _Storage, offset: int, shape: Any, *_: Any) -> NDArray[Any]:
    """A view, which has its values when the storage has them; strides are those of rows."""
    return storage.values[offset : offset + int(np.prod(shape))].reshape(shape)


def _rebuild_parameter(tensor: NDArray[Any], *_: Any) -> NDArray[Any]:
    return tensor


def _ignore(*_: Any) -> None:
    return None


_FUNCTIONS: Mapping[tuple[str, str], Any] = {
    ("__builtin__", "set"): set,
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "device"): _ignore,
}


def _fill(values: NDArray[Any], content: io.BytesIO) -> None:
    [length] = struct.unpack("<q", content.read(8))
    if length != len(values):
        raise ValueError(f"a storage of {length} values, not {len(values)}")
    values[:] = np.frombuffer(content.read(values.nbytes), values.dtype)


def _tensors(module: Any, prefix: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
    held = vars(module)
    for name, value in {**held["_parameters"], **held["_buffers"]}.items():
        if value is not None:
            yield prefix + name, value
    for name, inner in held["_modules"].items():
        yield from _tensors(inner, "" if name == "module" and not prefix else f"{prefix}{name}.")
