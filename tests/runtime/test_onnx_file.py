"""Against the package onnx, which reads and writes the same files by their schema."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from facerec.runtime.onnx_file import fields, messages, with_plain_slopes, without_idle_inputs


def value(name: str, shape: Sequence[int] = (2,), kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, *numbers: float) -> Any:
    return numpy_helper.from_array(np.array(numbers, np.float32), name)


def network() -> onnx.ModelProto:
    """(x + a) · s, or of that b less, where s is read in a branch alone; a, b and `old` are listed as inputs."""
    branches = [
        helper.make_graph(
            [helper.make_node("Mul", ["sum", "s"], [f"scaled {name}"]), helper.make_node("Sub", nodes, [name])],
            name,
            [],
            [value(name)],
            [constant("none", 0, 0)],
        )
        for name, nodes in (("less", ["scaled less", "b"]), ("same", ["scaled same", "none"]))
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "a"], ["sum"]),
            helper.make_node("If", ["which"], ["y"], then_branch=branches[0], else_branch=branches[1]),
            helper.make_node("Constant", [], ["kept"], value=constant("inside", 7)),
        ],
        "net",
        [value("a"), value("x"), value("old"), value("b"), value("which", (), TensorProto.BOOL), value("s")],
        [value("y"), value("kept", (1,))],
        [constant("a", 1, 2), constant("b", 3, 4)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=6)


NETWORK = network().SerializeToString()


def test_only_inputs_that_somebody_has_to_give_are_kept() -> None:
    edited = without_idle_inputs(memoryview(NETWORK))
    assert edited is not None
    expected = network()
    kept = [entry for entry in expected.graph.input if entry.name in ("x", "which", "s")]
    del expected.graph.input[:]
    expected.graph.input.extend(kept)
    assert onnx.load_from_string(edited) == expected
    assert len(edited) == len(expected.SerializeToString())
    assert without_idle_inputs(memoryview(edited)) is None


def test_an_input_that_is_an_output_is_kept() -> None:
    graph = helper.make_graph([], "net", [value("x")], [value("x")])
    assert without_idle_inputs(memoryview(helper.make_model(graph).SerializeToString())) is None


def tensors(message: Any) -> Iterator[onnx.TensorProto]:
    for field, content in message.ListFields():
        if field.message_type is not None:
            for entry in content if isinstance(content, Sequence) else [content]:
                if isinstance(entry, onnx.TensorProto):
                    yield entry
                else:
                    yield from tensors(entry)


def test_every_tensor_is_found_wherever_it_is() -> None:
    model = network()
    node = helper.make_node("Constant", [], ["of function"], value=constant("in a function", 1))
    model.functions.append(helper.make_function("own", "f", [], ["of function"], [node], model.opset_import))
    sparse = helper.make_sparse_tensor(constant("values", 1), numpy_helper.from_array(np.array([1]), "places"), [3])
    model.graph.sparse_initializer.append(sparse)
    model.graph.node.append(helper.make_node("Constant", [], ["sparse"], sparse_value=sparse))
    found = [part for kind, part in messages(memoryview(model.SerializeToString())) if kind == "tensor"]
    expected = [tensor.SerializeToString() for tensor in tensors(model)]
    assert len(expected) == 10
    assert sorted(map(bytes, found)) == sorted(expected)


@given(start=st.integers(0, len(NETWORK)), length=st.integers(0, 20), insert=st.binary(max_size=12))
@example(start=0, length=len(NETWORK), insert=b"\x80" * 11)
@example(start=0, length=len(NETWORK), insert=b"\x0b")  # a group, which protobuf has given up
@settings(deadline=None, max_examples=200)
def test_a_damaged_file_is_refused_or_read(start: int, length: int, insert: bytes) -> None:
    damaged = NETWORK[:start] + insert + NETWORK[start + length :]
    try:
        whole = b"".join(bytes(field.whole) for field in fields(memoryview(damaged)))
        list(messages(memoryview(damaged)))
        without_idle_inputs(memoryview(damaged))
        with_plain_slopes(memoryview(damaged))
    except ValueError:
        return
    assert whole == damaged


def test_graphs_within_graphs_do_not_end_the_process() -> None:
    content = b""
    for number in (7, *(1, 5, 6) * 2000)[::-1]:  # model → graph → node → attribute → graph → …
        size = len(content)
        content = bytes([number << 3 | 2, size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + content
    assert sum(1 for _ in messages(memoryview(content))) == 6002
    assert without_idle_inputs(memoryview(content)) is None


@pytest.mark.parametrize("kept", [1, 10, len(NETWORK) - 1])
def test_what_is_cut_short_is_refused(kept: int) -> None:
    with pytest.raises(ValueError, match="cut short"):
        without_idle_inputs(memoryview(NETWORK[:kept]))


def test_slopes_alone_are_written_anew() -> None:
    nodes = [
        helper.make_node("Neg", ["x"], ["turned"]),
        helper.make_node("PRelu", ["turned", "slope"], ["y"], name="bend"),
        helper.make_node("PRelu", ["y", "slope"], ["own"], domain="elsewhere"),
    ]
    graph = helper.make_graph(nodes, "net", [value("x")], [value("own")], [constant("slope", 1, 2)])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("elsewhere", 1)]
    model = helper.make_model(graph, opset_imports=imports)
    edited = with_plain_slopes(memoryview(model.SerializeToString()))
    assert edited is not None
    read = onnx.load_from_string(edited)
    onnx.checker.check_model(read)
    operators = [node.op_type for node in read.graph.node]
    assert operators == ["Neg", "Relu", "Neg", "Relu", "Mul", "Sub", "PRelu"]
    assert [read.graph.node[0], read.graph.node[-1]] == [nodes[0], nodes[-1]]
    assert read.graph.initializer == model.graph.initializer
    assert with_plain_slopes(memoryview(edited)) is None
    assert with_plain_slopes(memoryview(NETWORK)) is None
