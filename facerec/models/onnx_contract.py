"""The contract of an external ONNX model, a YAML file that says how to feed it.

weights: w600k_r50.onnx    # beside the contract
embedding_dim: 512
colour: RGB                # or BGR: the order of the channels it wants
mean: 127.5                # (value - mean) / std, of crops in 0..255
std: 127.5                 # of a network that takes bytes, mean 0 and std 1
output: embedding          # only where several outputs are of that length
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from facerec.errors import ConfigError, ModelError
from facerec.runtime.onnx_session import open_session

CONTRACT = "contract.yaml"  # of a folder that `facerec adopt` wrote
_KEYS: dict[str, type | tuple[type, ...]] = {
    "weights": str,
    "embedding_dim": int,
    "colour": str,
    "mean": (int, float),
    "std": (int, float),
}
_OPTIONAL: dict[str, type] = {"output": str}
_SAID = ("licence", "origin")  # about the network; they decide nothing


def read_contract(path: Path) -> dict[str, Any]:
    """The values of a contract, checked.

    Raises:
        ModelError: it is missing, lacks a key, or is an ONNX file itself; then the message says how to write one.
    """
    if path.suffix.lower() == ".onnx":
        raise ModelError(_how_to_write(path))
    return check_terms(_values(path), path)


def read_origin(path: Path) -> dict[str, str]:
    """What a contract says of licence and origin.

    Raises:
        ModelError: it is missing or damaged.
    """
    return {key: str(value) for key, value in _values(path).items() if key in _SAID}


def _values(path: Path) -> dict[Any, Any]:
    try:
        values = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise ModelError(f"{path}: can't be read as a contract: {error}") from error
    return values if isinstance(values, dict) else {}


def check_terms(terms: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The values that decide the vectors.

    Raises:
        ModelError: one is missing or wrong; names `path` and the key.
    """
    for key, kind in (_KEYS | {key: kind for key, kind in _OPTIONAL.items() if key in terms}).items():
        if not isinstance(terms.get(key), kind) or isinstance(terms[key], bool):
            raise ModelError(
                f"{path}: {key} is missing or of the wrong type; give the .onnx file as model= to see a contract"
            )
    if terms["colour"] not in ("RGB", "BGR"):
        raise ModelError(f"{path}: colour must be RGB or BGR, not {terms['colour']}")
    return {key: terms[key] for key in (*_KEYS, *_OPTIONAL) if key in terms}


def _how_to_write(weights: Path) -> str:
    """A message that shows the contract to write beside an ONNX file, as far as the file tells it."""
    contract = weights.with_suffix(".yaml")
    if contract.exists():
        return f"{weights}: is only the network; give its contract, model={contract}"
    outputs = {
        output.name: output.shape[-1] if output.shape else None for output in open_network(weights).get_outputs()
    }
    lines = [f"weights: {weights.name}"]
    if len(outputs) == 1:
        [dim] = outputs.values()
        lines.append(f"embedding_dim: {dim if isinstance(dim, int) else '…             # length of a vector'}")
    else:
        lines.append("embedding_dim: …             # length of a vector")
        lines.append(f"output: …                    # that holds the vectors: {', '.join(outputs)}")
    lines += [
        "colour: …                    # RGB or BGR: the order of the channels it was trained with",
        "mean: …                      # (value - mean) / std, of crops in 0..255; 127.5 and 127.5 give -1..1",
        "std: …",
    ]
    listed = "".join(f"\n  {line}" for line in lines)
    return (
        f"{weights}: is only the network, and does not say how to feed it; write {contract} with{listed}\n"
        f"as its authors say, and give model={contract}"
    )


def open_network(weights: Path, device: str = "cpu") -> Any:
    """The session of an ONNX file, on a device as `open_session` takes it.

    Raises:
        ConfigError: ONNX Runtime can't use the device.
        ModelError: there is none, or it is damaged.
    """
    try:
        return open_session(weights, device)
    except ConfigError:
        raise
    except Exception as error:  # onnxruntime's own errors share no base
        raise ModelError(f"{weights}: is missing or not an ONNX model ({error})") from error
