"""ONNX Runtime on a CPU, beside PyTorch and other sessions."""

from pathlib import Path
from typing import Any

import torch


def open_session(network: Path | str | bytes) -> Any:
    """An `onnxruntime.InferenceSession` on as many cores as PyTorch may use.

    Its threads sleep while there is nothing to compute. Left to spin, which is the default, they hold the cores
    that the next network wants: to find and embed the face of a photo took twice as long on two cores.

    Args:
        network: a file, or what is in one.

    Raises:
        Exception: there is no network in it; onnxruntime's own errors share no base.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors: about external networks it warns of a hundred things nobody can change
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    network = str(network) if isinstance(network, Path) else network
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
