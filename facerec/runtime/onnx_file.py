"""ONNX files, field by field: what is asked of them here does not need the package onnx, which takes 33 MB.

A protobuf message is a sequence of fields, each a key, which holds the field's number and how its value is written,
and a value (https://protobuf.dev/programming-guides/encoding). The numbers are those of `onnx.proto3`.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}  # bytes
# message → number of a field → the message that it holds, on all ways to a node or a tensor
_WITHIN = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
_GRAPH = 7  # of a model
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12  # of a graph
_NODE_INPUT, _NODE_OUTPUT, _OPERATOR, _DOMAIN = 1, 2, 4, 7  # of a node
_TENSOR_NAME, _VALUE_NAME = 8, 1
_OF_ONNX = (b"", b"ai.onnx")  # domains


class Field(NamedTuple):
    """A field of a message: its number, its value, and all its bytes, key and length included."""

    number: int
    value: memoryview
    whole: memoryview


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in order.

    Raises:
        ValueError: it is cut short, or no protobuf.
    """
    end = 0
    while (begin := end) < len(message):
        key, start = _varint(message, begin)
        kind = key & 7
        if kind == _VARINT:
            end = _varint(message, start)[1]
        elif kind == _LENGTH:
            length, start = _varint(message, start)
            end = start + length
        elif kind in _FIXED:
            end = start + _FIXED[kind]
        else:
            raise ValueError(f"no protobuf: a value of kind {kind}")
        if end > len(message):
            raise ValueError("cut short")
        yield Field(key >> 3, message[start:end], message[begin:end])


def messages(message: memoryview, kind: str = "model") -> Iterator[tuple[str, memoryview]]:
    """A model and all graphs, nodes, attributes, tensors, … in it, each with its kind.

    Raises:
        ValueError: as `fields`.
    """
    waiting = [(kind, message)]
    while waiting:
        kind, message = waiting.pop()
        yield kind, message
        if within := _WITHIN.get(kind):
            waiting += [(within[field.number], field.value) for field in fields(message) if field.number in within]


def without_idle_inputs(model: memoryview) -> bytes | None:
    """The model without inputs that are weights or that nothing reads; None if it has none of them.

    Before version 4 of the format, weights had to be listed as inputs, too. ONNX Runtime asks for those that a
    quantiser has replaced since, and does not optimise what the others go into.

    Raises:
        ValueError: as `fields`.
    """
    graph = next(_values(model, _GRAPH), None)
    if graph is None:
        return None
    weights = {_name(tensor, _TENSOR_NAME) for tensor in _values(graph, _INITIALIZER)}
    read = {_name(output, _VALUE_NAME) for output in _values(graph, _OUTPUT)}
    for kind, message in messages(graph, "graph"):
        if kind == "node":
            read.update(map(bytes, _values(message, _NODE_INPUT)))
    needed = read - weights
    kept = [
        field.whole
        for field in fields(graph)
        if field.number != _INPUT or _name(field.value, _VALUE_NAME) in needed
    ]
    return None if sum(map(len, kept)) == len(graph) else _with_graph(model, kept)


def with_plain_slopes(model: memoryview) -> bytes | None:
    """The model with relu(x) - slope · relu(-x) for each PRelu of its graph, the same numbers; None if it has none.

    ONNX Runtime (1.32 does) computes a PRelu on a CPU number by number, which takes as long as all convolutions of
    SFace or MobileFaceNet, and these operators many numbers at once.

    Raises:
        ValueError: as `fields`.
    """
    graph = next(_values(model, _GRAPH), None)
    if graph is None:
        return None
    edited: list[bytes | memoryview] = []
    for field in fields(graph):
        if field.number == _NODE and _is_prelu(field.value):
            edited += _plain_slope(field.value)
        else:
            edited.append(field.whole)
    return None if sum(map(len, edited)) == len(graph) else _with_graph(model, edited)  # five nodes are longer


def _is_prelu(node: memoryview) -> bool:
    return _name(node, _OPERATOR) == b"PRelu" and _name(node, _DOMAIN) in _OF_ONNX


def _plain_slope(node: memoryview) -> list[bytes]:
    x, slope = map(bytes, _values(node, _NODE_INPUT))
    y = _name(node, _NODE_OUTPUT)
    above, turned, below, steep = (y + part for part in (b" above", b" turned", b" below", b" steep"))
    return [
        _node(b"Relu", [x], above),
        _node(b"Neg", [x], turned),
        _node(b"Relu", [turned], below),
        _node(b"Mul", [below, slope], steep),
        _node(b"Sub", [above, steep], y),
    ]


def _node(operator: bytes, inputs: list[bytes], output: bytes) -> bytes:
    named = [*((_NODE_INPUT, name) for name in inputs), (_NODE_OUTPUT, output), (_OPERATOR, operator)]
    return _field(_NODE, [b"".join(_field(number, [value]) for number, value in named)])


def _with_graph(model: memoryview, parts: Sequence[bytes | memoryview]) -> bytes:
    """The model with a graph of these fields."""
    others = [field.whole for field in fields(model) if field.number != _GRAPH]
    return b"".join([*others, _field(_GRAPH, parts)])


def _field(number: int, parts: Sequence[bytes | memoryview]) -> bytes:
    return b"".join([bytes([number << 3 | _LENGTH]), _as_varint(sum(map(len, parts))), *parts])


def _name(message: memoryview, number: int) -> bytes:
    """The name that a message has in the field of this number."""
    return b"".join(_values(message, number))


def _values(message: memoryview, number: int) -> Iterator[memoryview]:
    return (field.value for field in fields(message) if field.number == number)


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number at `place`, seven bits a byte, lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if place == len(message):
            raise ValueError("cut short")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("no protobuf: a number of more than ten bytes")


def _as_varint(value: int) -> bytes:
    *rest, last = (value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7))
    return bytes([*(part | 0x80 for part in rest), last])
