"""Find the files of weights that an ONNX model keeps outside its own file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def external_files(network: Path) -> list[Path]:
    """The files beside `network` that hold its weights, sorted; empty if it holds them all itself."""
    import onnx

    try:
        graph = onnx.load(str(network), load_external_data=False)
    except Exception:  # missing, damaged, or of ONNX Runtime's own format, which is one file
        return []
    external = [tensor for tensor in _tensors(graph) if tensor.data_location == onnx.TensorProto.EXTERNAL]
    named = {entry.value for tensor in external for entry in tensor.external_data if entry.key == "location"}
    return [network.parent / name for name in sorted(named)]


def _tensors(message: Any) -> Iterator[Any]:
    """All tensors of a protobuf message, in graphs, subgraphs, functions and attributes."""
    import onnx

    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for entry in value if isinstance(value, Sequence) else [value]:
            if isinstance(entry, onnx.TensorProto):
                yield entry
            else:
                yield from _tensors(entry)
