"""Find the files of weights that an ONNX model keeps outside its own file."""

from collections.abc import Iterator
from pathlib import Path

from facerec.runtime.onnx_file import fields, messages

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor
_KEY, _VALUE = 1, 2  # of an entry of its external data
_EXTERNAL = b"\1"


def external_files(network: Path) -> list[Path]:
    """The files beside `network` that hold its weights, sorted; empty if it holds them all itself."""
    try:
        parts = messages(memoryview(network.read_bytes()))
        named = {name for kind, part in parts if kind == "tensor" for name in _locations(part)}
    except (OSError, ValueError):  # missing, damaged, or of ONNX Runtime's own format, which is one file
        return []
    return [network.parent / name for name in sorted(named)]


def _locations(tensor: memoryview) -> Iterator[str]:
    """The file that holds a tensor's values, if that is another one."""
    values = [(field.number, bytes(field.value)) for field in fields(tensor) if field.number >= _EXTERNAL_DATA]
    if (_DATA_LOCATION, _EXTERNAL) in values:
        for entry in (value for number, value in values if number == _EXTERNAL_DATA):
            pair = {field.number: bytes(field.value) for field in fields(memoryview(entry))}
            if pair.get(_KEY) == b"location":
                yield pair[_VALUE].decode()
