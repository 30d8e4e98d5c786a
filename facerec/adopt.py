"""Make a model folder of a published network: `python -m facerec.adopt weights=FILE.onnx colour=RGB …`."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from facerec.errors import ConfigError, ModelError
from facerec.job import run_job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def adopt(cfg: DictConfig) -> None:
    """Try the network on two crops, then write it with what it has to be fed.

    Raises:
        ConfigError: `out` is there, or a key is missing or has a wrong value.
        ModelError: the network does not take crops, or does not tell two apart, or its weights fit no such network.
    """
    weights = Path(cfg.weights).expanduser()
    out = Path(cfg.out or Path(cfg.paths.outputs) / "models" / weights.stem).expanduser()
    if out.exists():
        raise ConfigError(f"out: {out} is there already; choose another folder, or move it")
    if weights.suffix == ".onnx":
        if cfg.get("backbone"):
            raise ConfigError(f"backbone: {weights} brings its own network; leave backbone out")
        dim = _adopt_onnx(cfg, weights, out)
    else:
        if not cfg.get("backbone"):
            raise ConfigError(f"backbone: {weights} has weights alone; name their network, as backbone=iresnet50")
        dim = _adopt_torch(cfg, weights, out)
    print(f"{out}: {dim} numbers for a crop; use it as model={out}")
    print(f"it has no thresholds yet: `facerec evaluate model={out} dataset=…` measures them")


def _adopt_onnx(cfg: DictConfig, weights: Path, out: Path) -> int:
    import yaml

    from facerec.models.external_files import external_files
    from facerec.models.onnx_contract import CONTRACT, check_terms
    from facerec.models.onnx_model import OnnxModel
    from facerec.runtime.files import replace_folder

    keys = ("colour", "mean", "std", "output")
    terms: dict[str, Any] = {"weights": weights.name, "embedding_dim": cfg.embedding_dim or _length(weights)}
    terms |= {key: cfg[key] for key in keys if cfg[key] is not None}
    model = OnnxModel(weights, check_terms(terms, weights), weights, "cpu")
    _try(model.embed, weights)
    contract = yaml.safe_dump({**terms, **_about(cfg)}, sort_keys=False, allow_unicode=True)
    external = external_files(weights)
    if elsewhere := [file for file in external if file.parent != weights.parent]:
        raise ModelError(f"{weights}: keeps its weights in {elsewhere[0]}; put all of its files into one folder")
    files = {file.name: file.read_bytes() for file in (weights, *external)}
    replace_folder(out, {CONTRACT: contract.encode(), **files})
    return model.dim


def _adopt_torch(cfg: DictConfig, weights: Path, out: Path) -> int:
    from facerec.models import store
    from facerec.models.embedder import Embedder
    from facerec.models.published_weights import load_published, swap_colours

    for key in ("embedding_dim", "output"):
        if cfg[key] is not None:
            raise ConfigError(f"{key}: is for ONNX files; the network of `backbone` says what it gives")
    if cfg.colour not in ("RGB", "BGR"):
        raise ConfigError(f"colour must be RGB or BGR, not {cfg.colour}")
    backbone = instantiate(cfg.backbone)
    load_published(weights, backbone)
    mean, std = _of_channels(cfg, "mean"), _of_channels(cfg, "std")
    if cfg.colour == "BGR":
        swap_colours(backbone)
        mean, std = mean[::-1], std[::-1]
    try:
        embedder = Embedder(backbone, mean, std).eval()
    except ValueError as error:
        raise ConfigError(f"mean, std: {error}") from error
    _try(embedder.embed, weights)
    store.save(out, embedder, statistics={}, origin=_about(cfg))
    return embedder.embedding_dim


def _about(cfg: DictConfig) -> dict[str, str]:
    return {key: cfg[key] for key in ("licence", "origin") if cfg[key] is not None}


def _of_channels(cfg: DictConfig, key: str) -> list[float]:
    """One number for all channels, or one for each."""
    value = cfg[key]
    try:
        numbers = [float(number) for number in value] if OmegaConf.is_list(value) else 3 * [float(value)]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise ConfigError(f"{key} must be a number, or three of them, not {value}")
    return numbers


def _length(weights: Path) -> int:
    """Length of a vector, as the file says it."""
    from facerec.models.onnx_contract import open_network

    outputs = open_network(weights).get_outputs()
    length = outputs[0].shape[-1] if len(outputs) == 1 and outputs[0].shape else None
    if not isinstance(length, int):
        raise ConfigError(f"embedding_dim: {weights} does not say how long its vectors are, so give it")
    return length


def _try(embed: "Callable[[NDArray[np.uint8]], NDArray[np.float32]]", weights: Path) -> None:
    """Refuse a network that gives no vectors, or the same for two different crops."""
    import numpy as np

    crops = np.random.default_rng(0).integers(0, 256, (2, 3, 112, 112), dtype=np.uint8)
    crops[1] //= 2
    first, second = embed(crops)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ModelError(f"{weights}: gives vectors that are not finite; are mean and std right?")
    if np.allclose(first, second, atol=1e-6):
        raise ModelError(f"{weights}: gives one vector for two different crops; is it an embedder of faces?")


if __name__ == "__main__":
    run_job("adopt", adopt)
