"""ONNX Runtime beside PyTorch and other sessions: on a CPU, or with its GPU build on a GPU."""

import mmap
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from facerec.errors import ConfigError
from facerec.runtime.onnx_file import with_plain_slopes, without_idle_inputs

# else ONNX Runtime (1.32 does) keeps a number of this device in the cache folder, and tells its maker what is run
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_CPU, _GPU = "CPUExecutionProvider", "CUDAExecutionProvider"
_ERRORS = 3  # of a foreign network it warns a hundred times, of what nobody can change


def open_session(network: Path | str | bytes, device: str = "cpu") -> Any:
    """An `onnxruntime.InferenceSession` on a GPU, or on as many cores as PyTorch would take.

    Its threads sleep while there is nothing to compute. Left to spin, which is the default, they hold the cores
    that the next network wants: to find and embed the face of a photo took twice as long on two cores.

    Inputs that are weights or that nothing reads are left out, see `without_idle_inputs`; on a CPU, each PRelu is
    computed as `with_plain_slopes` has it.

    Args:
        network: a file, or what is in one.
        device: "cpu", "cuda" or "cuda:N"; "auto" is a GPU if ONNX Runtime can use one, else the CPU.

    Raises:
        ConfigError: ONNX Runtime can't use the device.
        Exception: there is no network in it; onnxruntime's own errors share no base.
    """
    import onnxruntime

    check_session_device(device)
    providers = _providers(device)
    onnxruntime.set_default_logger_severity(_ERRORS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.log_severity_level = _ERRORS
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not isinstance(network, bytes):
        # what is edited is opened from memory, from where files of weights can't be found
        folder = str(Path(network).absolute().parent)
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
        network = _edited(Path(network), on_cpu=providers == [_CPU]) or str(network)
    session = onnxruntime.InferenceSession(network, options, providers=providers)
    if device not in ("cpu", "auto") and _GPU not in session.get_providers():
        raise ConfigError(f"device: ONNX Runtime can't use {device!r}, for the reason it gives above; try auto")
    return session


def check_session_device(name: str, key: str = "device") -> None:
    """Refuse a device that the installed ONNX Runtime is not made for.

    Raises:
        ConfigError: names the key of the configuration.
    """
    if name in ("cpu", "auto") or (_is_gpu(name) and _has_gpu_build()):
        return
    cure = "install facerec[gpu], or try auto" if _is_gpu(name) else "try auto"
    raise ConfigError(f"{key}: {name!r} is not a device of this machine; {cure}")


def _is_gpu(name: str) -> bool:
    kind, colon, number = name.partition(":")
    return kind == "cuda" and (number.isdecimal() if colon else True)


def _has_gpu_build() -> bool:
    import onnxruntime

    return _GPU in onnxruntime.get_available_providers()


def _providers(device: str) -> list[Any]:
    """What computes for a device that was checked, in order of preference."""
    import onnxruntime

    if device == "cpu" or not _has_gpu_build():
        return [_CPU]
    with redirect_stdout(sys.stderr):  # where it says what it misses
        onnxruntime.preload_dlls()  # CUDA's libraries, from wheels
    return [(_GPU, {"device_id": int(device.partition(":")[2] or 0)}), _CPU]


def _threads() -> int:
    """As many as PyTorch was given or takes by itself, whether it is there or not."""
    if torch := sys.modules.get("torch"):
        return int(torch.get_num_threads())
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if given.isdecimal() and int(given) > 0:
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _edited(file: Path, on_cpu: bool) -> bytes | None:
    """The network as it is computed best; None if that is the file itself, or ONNX Runtime has to judge it."""
    try:
        with file.open("rb") as stream:
            content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
            edited = without_idle_inputs(content)
            return (with_plain_slopes(memoryview(edited or content)) if on_cpu else None) or edited
    except (OSError, ValueError):
        return None
