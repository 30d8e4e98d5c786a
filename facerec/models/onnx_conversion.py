"""An ONNX network as a PyTorch module, by onnx2torch: it runs where PyTorch does, and is exported with others."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from facerec.errors import ModelError
from facerec.models.external_files import external_files
from facerec.runtime.onnx_file import without_idle_inputs

_OPSET = 17  # up to which onnx2torch knows operators; newer networks are rewritten for it
_DOMAINS = ("", "ai.onnx")  # of ONNX itself


def whole_file(file: Path) -> bytes:
    """An ONNX file; weights that it keeps in other files are taken into it.

    Raises:
        ModelError: a file can't be read, or the weights are too large for one file, 2 GB.
    """
    try:
        if not external_files(file):
            return file.read_bytes()
        import onnx

        merged: bytes = onnx.load(str(file)).SerializeToString()
    except (OSError, ImportError, ValueError) as error:  # protobuf tells of the size by a ValueError
        raise ModelError(f"{file}: can't be read into one file ({error})") from error
    return merged


def torch_network(content: bytes, output: str, path: Path) -> nn.Module:
    """The network of an ONNX file: frozen, in evaluation mode, on the CPU, without weights in its `state_dict`.

    All that it holds are buffers that are not persistent: nothing trains or stores them, and they move with the
    module.

    Args:
        content: of the file, its weights included.
        output: name of the output that is wanted; the module returns it alone.
        path: of the network, for messages.

    Raises:
        ModelError: it is damaged, or uses an operator that onnx2torch does not know, which is named; or onnx2torch
            is not installed.
    """
    try:
        import onnx
        from onnx2torch import convert
    except ImportError as error:
        raise ModelError(f"{path}: in PyTorch it needs {error.name}; install facerec[train]") from error
    try:
        proto = onnx.load_from_string(without_idle_inputs(memoryview(content)) or content)
    except Exception as error:  # protobuf's own errors and ours share no base
        raise ModelError(f"{path}: is damaged or not an ONNX model ({error})") from error
    wanted = [value for value in proto.graph.output if value.name == output]
    if not wanted:
        raise ModelError(f"{path}: there is no output {output}")
    del proto.graph.output[:]
    proto.graph.output.extend(wanted)
    if foreign := next((node for node in proto.graph.node if node.domain not in _DOMAINS), None):
        raise _unknown(path, f"{foreign.domain}.{foreign.op_type}")
    try:
        return _frozen(convert(_of_known_version(proto)))
    except Exception as error:  # whatever the libraries meet in a foreign network
        # onnx2torch describes the operator: OperationDescription(domain='', operation_type='Foo', version=1)
        named = str(error).partition("operation_type='")[2].partition("'")[0]
        raise _unknown(path, named or f"… ({error})") from error


def _unknown(path: Path, what: str) -> ModelError:
    return ModelError(
        f"{path}: can't be converted to PyTorch, for its operator {what}; use a network of floating-point "
        "convolutions and matrices, not a quantised one"
    )


def _of_known_version(proto: Any) -> Any:
    """The same network in operators that onnx2torch knows, and knows well."""
    from onnx import version_converter

    weights = {tensor.name: tensor for tensor in proto.graph.initializer}
    shapes = [value for value in proto.graph.value_info if value.name not in weights]  # theirs may change below
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(shapes)
    for node in proto.graph.node:
        given = weights.get(node.input[1]) if len(node.input) > 1 else None
        if given is None:
            continue
        # to rows, for any number of crops, and without a shape that would have to come from a GPU
        if node.op_type == "Reshape" and list(given.dims) == [2]:
            node.op_type = "Flatten"
            del node.input[1], node.attribute[:]
        # slopes [1, C, 1, 1] are those of [C, 1, 1], which become PyTorch's own PReLU, fast and fit for autocast
        while node.op_type == "PRelu" and len(given.dims) > 1 and given.dims[0] == 1:
            del given.dims[0]
    version = max(opset.version for opset in proto.opset_import if opset.domain in _DOMAINS)
    return version_converter.convert_version(proto, _OPSET) if version > _OPSET else proto


def _frozen(network: nn.Module) -> nn.Module:
    """Parameters and buffers become buffers that are not persistent."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.track_running_stats = False  # or loading weights without versions would ask for batch counts
        held: list[tuple[str, Tensor]] = [
            *module.named_parameters(recurse=False),
            *module.named_buffers(recurse=False),
        ]
        for name, value in held:
            delattr(module, name)
            module.register_buffer(name, value.detach(), persistent=False)
    return network.eval()
