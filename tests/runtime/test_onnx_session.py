import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from facerec.errors import ConfigError
from facerec.runtime.onnx_session import check_session_device, open_session


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """x · w, in a file that lists w as an input, as before version 4, and weights that nothing reads."""
    w = numpy_helper.from_array(np.array([2, 3], np.float32), "w")
    unused = [numpy_helper.from_array(np.ones(2, np.float32), f"unused {n}") for n in range(5)]
    names = ("x", "w", "replaced", *(tensor.name for tensor in unused))
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in names]
    made = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])]
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "net", given, made, [w, *unused])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=6)
    onnx.save(model, str(tmp_path / "net.onnx"))
    return tmp_path / "net.onnx"


def run(network: Path | str | bytes) -> list[float]:
    [output] = open_session(network).run(None, {"x": np.array([10, 100], np.float32)})
    return list(output)


def test_weights_that_are_listed_as_inputs_need_not_be_given(network: Path) -> None:
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    with pytest.raises(ValueError, match="replaced"):
        session.run(None, {"x": np.ones(2, np.float32)})
    assert run(network) == run(str(network)) == [20, 300]
    assert [entry.name for entry in open_session(network).get_inputs()] == ["x"]


def test_they_may_lie_in_a_file_of_their_own(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(onnx.load(str(network)), str(network), save_as_external_data=True, location="w.bin", size_threshold=0)
    assert (network.parent / "w.bin").stat().st_size
    monkeypatch.chdir(network.parent)
    assert run(network) == run("net.onnx") == [20, 300]


def test_nothing_is_printed_about_what_a_network_has_too_much(
    network: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    onnxruntime.set_default_logger_severity(2)
    onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    assert "unused 0" in capfd.readouterr().err
    run(network)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.NoSuchFile):
        open_session(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf):
        open_session(tmp_path / "text.onnx")


THREADS = """
import sys
from pathlib import Path
from facerec.runtime.onnx_session import open_session
if len(sys.argv) > 2:
    import torch
    torch.set_num_threads(int(sys.argv[2]))
print(open_session(Path(sys.argv[1])).get_session_options().intra_op_num_threads, "torch" in sys.modules)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "torch_threads", "expected"),
    [("", [], None), ("3", [], 3), ("5,2", [], 5), ("many", [], None), ("3", ["4"], 4)],
)
def test_it_takes_the_threads_that_pytorch_would(
    network: Path, variable: str, torch_threads: list[str], expected: int | None
) -> None:
    cores = len(os.sched_getaffinity(0))
    command = [sys.executable, "-c", THREADS, str(network), *torch_threads]
    environment = {**os.environ, "OMP_NUM_THREADS": variable}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(expected or cores), str(bool(torch_threads))]


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this build has CUDA")
def test_a_device_it_is_not_made_for_is_refused_by_key(network: Path) -> None:
    for name, cure in (("cuda", r"install facerec\[gpu\]"), ("cuda:1", r"facerec\[gpu\]"), ("gpu7", "try auto")):
        with pytest.raises(ConfigError, match=rf"teacher\.device: '{name}' is not a device of this .*{cure}"):
            check_session_device(name, "teacher.device")
        with pytest.raises(ConfigError, match="device: "):
            open_session(network, name)
    assert open_session(network, "auto").get_providers() == ["CPUExecutionProvider"]


def test_nothing_is_written_down_about_what_is_run(network: Path, tmp_path: Path) -> None:
    """ONNX Runtime's telemetry, which would also be sent."""
    code = f"from facerec.runtime.onnx_session import open_session; open_session({str(network)!r})"
    home = tmp_path / "home"
    home.mkdir()
    told = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    mine = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    subprocess.run([sys.executable, "-c", code], env={**told, **mine}, check=True)
    assert not [*home.rglob("*")]


@pytest.mark.parametrize("opset", [7, 9, 16, 20])
@pytest.mark.parametrize("shape", [(5, 1, 1), (1, 5, 1, 1), (1, 1, 1)])
def test_slopes_are_those_of_a_prelu(opset: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    random = np.random.default_rng(opset)
    slopes = random.normal(size=shape).astype(np.float32)
    shapes = {"x": (2, 5, 3, 4), "y": (2, 5, 3, 4), "z": (2, 5, 3, 4)}
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in shapes.items()}
    nodes = [helper.make_node("PRelu", ["x", "s"], ["y"]), helper.make_node("PRelu", ["y", "s"], ["z"])]
    weights = [numpy_helper.from_array(slopes, "s")]
    graph = helper.make_graph(nodes, "net", [values["x"]], [values["y"], values["z"]], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=6)
    onnx.save(model, str(tmp_path / "net.onnx"))
    x = random.normal(size=shapes["x"]).astype(np.float32)
    x.flat[:6] = 0, -0.0, np.inf, -np.inf, 1e-40, -1e38
    plain = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for ours, wanted in zip(
        open_session(tmp_path / "net.onnx").run(None, {"x": x}), plain.run(None, {"x": x}), strict=True
    ):
        np.testing.assert_array_equal(ours, wanted)
