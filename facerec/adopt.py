"""Make a model folder of a published ONNX file: `python -m facerec.adopt weights=FILE.onnx colour=RGB …`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from facerec.errors import ConfigError, ModelError
from facerec.job import run_job

if TYPE_CHECKING:
    from facerec.models.onnx_model import OnnxModel


def adopt(cfg: DictConfig) -> None:
    """Try the network on two crops, then write it with its contract.

    Raises:
        ConfigError: `out` is there, or a key is missing.
        ModelError: the network does not take crops, or does not tell two apart.
    """
    import yaml

    from facerec.models.external_files import external_files
    from facerec.models.onnx_contract import CONTRACT, check_terms
    from facerec.models.onnx_model import OnnxModel
    from facerec.runtime.files import replace_folder

    weights = Path(cfg.weights).expanduser()
    out = Path(cfg.out or Path(cfg.paths.outputs) / "models" / weights.stem).expanduser()
    if out.exists():
        raise ConfigError(f"out: {out} is there already; choose another folder, or move it")
    keys = ("colour", "mean", "std", "output")
    terms: dict[str, Any] = {"weights": weights.name, "embedding_dim": cfg.embedding_dim or _length(weights)}
    terms |= {key: cfg[key] for key in keys if cfg[key] is not None}
    model = OnnxModel(weights, check_terms(terms, weights), weights, "cpu")
    _try(model)
    about = {key: cfg[key] for key in ("licence", "origin") if cfg[key] is not None}
    contract = yaml.safe_dump({**terms, **about}, sort_keys=False, allow_unicode=True)
    external = external_files(weights)
    if elsewhere := [file for file in external if file.parent != weights.parent]:
        raise ModelError(f"{weights}: keeps its weights in {elsewhere[0]}; put all of its files into one folder")
    files = {file.name: file.read_bytes() for file in (weights, *external)}
    replace_folder(out, {CONTRACT: contract.encode(), **files})
    print(f"{out}: {model.dim} numbers for a crop; use it as model={out}")
    print(f"it has no thresholds yet: `facerec evaluate model={out} dataset=…` measures them")


def _length(weights: Path) -> int:
    """Length of a vector, as the file says it."""
    from facerec.models.onnx_contract import open_network

    outputs = open_network(weights).get_outputs()
    length = outputs[0].shape[-1] if len(outputs) == 1 and outputs[0].shape else None
    if not isinstance(length, int):
        raise ConfigError(f"embedding_dim: {weights} does not say how long its vectors are, so give it")
    return length


def _try(model: "OnnxModel") -> None:
    """Refuse a network that gives no vectors, or the same for two different crops."""
    import numpy as np

    crops = np.random.default_rng(0).integers(0, 256, (2, 3, 112, 112), dtype=np.uint8)
    crops[1] //= 2
    first, second = model.embed(crops)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ModelError(f"{model.path}: gives vectors that are not finite; are mean and std right?")
    if np.allclose(first, second, atol=1e-6):
        raise ModelError(f"{model.path}: gives one vector for two different crops; is it an embedder of faces?")


if __name__ == "__main__":
    run_job("adopt", adopt)
