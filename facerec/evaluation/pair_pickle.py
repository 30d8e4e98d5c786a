"""Read the pickle of a pair set: bytes, lists, tuples, truth values and whole numbers, and nothing else.

A pickle names functions and says what to call them with, so a stranger's file could run anything. Here no name
leads to what it names: for the few that such files hold, functions of this module stand in, which can only make
bytes and truth values. Any other name ends the reading before anything is called.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

_BOOLS = {"b1", b"b1", "?", b"?", "bool"}  # what NumPy calls the type, in Python 3 and 2


def load_pair_pickle(data: bytes) -> Any:
    """What the pickle holds; text of Python 2 becomes bytes, and arrays and scalars of NumPy lists and bools.

    Raises:
        pickle.UnpicklingError: it names something else than such files hold, and the message says what.
        Exception: of any kind, where the file is damaged.
    """
    return _PairUnpickler(io.BytesIO(data), encoding="bytes").load()


class _PairUnpickler(pickle._Unpickler):  # that in C allocates whatever a damaged file asks for
    def find_class(self, module: str, name: str) -> Any:
        """A stand-in for what is named; a new one each time, since a pickle may write attributes of it."""
        known: dict[tuple[str, str], Callable[..., Any] | str] = {
            ("_codecs", "encode"): lambda text, encoding: _latin1(text, encoding),  # bytes, in old protocols
            ("builtins", "bytes"): lambda *given: _no_bytes(given),
            ("numpy", "dtype"): lambda kind, *_: _Type(kind),
            ("numpy", "ndarray"): "ndarray",
            ("numpy.multiarray", "_reconstruct"): lambda *_: _Array(),
            ("numpy.multiarray", "scalar"): lambda kind, data: _truth_values(kind, data)[0],
            ("numpy.numeric", "_frombuffer"): lambda data, kind, *_: _truth_values(kind, data),
        }
        module = module.replace("__builtin__", "builtins").replace("numpy._core.", "numpy.")
        key = (module.replace("numpy.core.", "numpy."), name)
        if key not in known:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which a pair set has no use for")
        return known[key]


def _latin1(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"it holds text in {encoding!r}")
    return text.encode("latin1")


def _no_bytes(given: tuple[Any, ...]) -> bytes:
    if given:  # bytes(10**12) would fill the memory
        raise pickle.UnpicklingError("it makes bytes of something else")
    return b""


class _Type:
    """NumPy's type of truth values, the only one that is read."""

    __slots__ = ()

    def __init__(self, kind: object) -> None:
        if kind not in _BOOLS:
            raise pickle.UnpicklingError(f"it holds NumPy values of the type {kind!r}, not bool")

    def __setstate__(self, state: object) -> None:
        """Byte order and alignment, of which truth values have none."""


class _Array(list[bool]):
    """Truth values of an array, which come after the array is made."""

    __slots__ = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take version, shape, type, order and content, as NumPy writes them."""
        _, shape, kind, _, data = state
        values = _truth_values(kind, data)
        if tuple(shape) != (len(values),):
            raise pickle.UnpicklingError(f"it holds an array of shape {shape} with {len(values)} values")
        self[:] = values


def _truth_values(kind: object, data: object) -> list[bool]:
    if not isinstance(kind, _Type) or not isinstance(data, bytes | bytearray):
        raise pickle.UnpicklingError("it holds an array of NumPy that can't be read")
    values: list[bool] = (np.frombuffer(data, np.uint8) != 0).tolist()
    return values
