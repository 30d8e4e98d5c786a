"""Write a model as one ONNX file for other programs: `python -m facerec.export model=MODEL out=FILE.onnx`."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError, ModelError
from facerec.job import run_job

if TYPE_CHECKING:
    from facerec.evaluation import Parity

_TOLERANCE = 1e-4  # of a vector's numbers, unless it is quantised
_CALIBRATION_CROPS = 256


def export(cfg: DictConfig) -> None:
    """Write the network and its contract, compare its vectors with the model's, and say what it costs.

    Raises:
        ConfigError: a file is there already that would be written, or a key has a value that can't work.
        ModelError: the file gives other vectors than the model.
    """
    from facerec.data import dataset_crops
    from facerec.evaluation import compare_vectors
    from facerec.models import open_model
    from facerec.models.exported_file import STATISTICS, own_network, write_exported
    from facerec.study.members import check_named

    out = Path(cfg.out).expanduser()
    _check(cfg, out)
    images = instantiate(cfg.dataset, _convert_="all")
    check_named(images)
    model = open_model(cfg.model, "cpu", offline=cfg.offline, accept_licence=cfg.accept_licence)
    crops = dataset_crops(images, Path(cfg.data.cache_dir), cfg.data.decode_workers, cache=cfg.data.cache)
    calibration = crops[images.rows("train")[:_CALIBRATION_CROPS]] if cfg.quantise else None
    rows = images.rows("test") if len(images.rows("test")) else images.rows("val")
    own = own_network(model).embed(crops[rows])
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}.") as folder:
        draft = Path(folder) / out.name
        opset = write_exported(model, draft, opset=cfg.opset, calibration=calibration)
        vectors = open_model(draft.with_suffix(".yaml"), "cpu").embed(crops[rows])
        parity = compare_vectors(own, vectors, images.identities[rows], cfg.far)
        if not cfg.quantise and not parity.largest_difference < _TOLERANCE:
            raise ModelError(f"{model.path}: the file's vectors are others, by up to {parity.largest_difference:g}")
        for file in (draft, draft.with_name(STATISTICS), draft.with_suffix(".yaml")):  # the contract comes last
            file.replace(out.with_name(file.name))
    _report(cfg, out, model.dim, opset, images.name, parity)


def _check(cfg: DictConfig, out: Path) -> None:
    if cfg.to != "onnx":
        raise ConfigError(f"to: must be onnx, not {cfg.to}")
    if out.suffix != ".onnx":
        raise ConfigError(f"out: must be a file FILE.onnx, not {out}")
    if not 0 < cfg.far < 1:
        raise ConfigError(f"far: must be a rate between 0 and 1, not {cfg.far}")
    for file in (out, out.with_suffix(".yaml"), out.with_name("statistics.json")):
        if file.exists():
            raise ConfigError(f"out: {file} is there already; move it, or choose another folder")


def _report(cfg: DictConfig, out: Path, dim: int, opset: int, dataset: str, parity: "Parity") -> None:
    size = out.stat().st_size / 1e6
    print(f"{out}: uint8 crops [n, 3, 112, 112] in, RGB; unit vectors [n, {dim}] out; opset {opset}, {size:.1f} MB")
    print(
        f"on {parity.crops} crops of {dataset}: largest difference of two numbers {parity.largest_difference:.1e}, "
        f"lowest cosine {parity.lowest_cosine:.6f}, median {parity.median_cosine:.6f}"
    )
    print(f"TAR at FAR {cfg.far:g}: {parity.tar[0]:.4f} of the model, {parity.tar[1]:.4f} of the file")
    contract = out.with_suffix(".yaml")
    print(f"use it as model={contract}")
    if cfg.quantise:
        print(f"it has no thresholds yet: `facerec evaluate model={contract} dataset=…` measures them")


if __name__ == "__main__":
    run_job("export", export)
