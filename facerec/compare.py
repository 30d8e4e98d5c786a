"""Compare models on the same people: `python -m facerec.compare models=[sface,RUN]`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError
from facerec.job import loggers_of, run_job, wandb_finished

if TYPE_CHECKING:
    from facerec.data import FaceImages
    from facerec.data.live_crops import DatasetCrops
    from facerec.models import Model


def compare(cfg: DictConfig) -> None:
    """Measure each model, write figures and page, and print a table."""
    from facerec.data import dataset_crops
    from facerec.evaluation import compare_models, open_pair_sets, pair_files
    from facerec.models import open_model
    from facerec.report.comparison import show_comparison, write_comparison
    from facerec.runtime.files import replace_json
    from facerec.study.members import check_named, dataset_of, named_models

    out, cache = Path(HydraConfig.get().runtime.output_dir), Path(cfg.data.cache_dir)
    paths = named_models(list(cfg.models), "models")
    if len(paths) < 2:
        raise ConfigError("models: give two or more, models=[sface,RUN]")
    fetched = {key: cfg[key] for key in ("offline", "accept_licence")}
    models = {name: open_model(path, cfg.device, **fetched) for name, path in paths.items()}
    node = dataset_of(cfg.get("dataset"), *models.values())
    images = instantiate(node, _convert_="all", _recursive_=False)
    check_named(images)
    crops = dataset_crops(images, cache, cfg.data.decode_workers, cache=cfg.data.cache)
    rates: dict[str, Any] = {key: list(cfg[key]) for key in ("fars", "fpirs")}
    comparison = compare_models(
        models,
        images,
        crops,
        split=cfg.split,
        attributes=Path(cfg.attributes) if cfg.attributes else None,
        pair_sets=open_pair_sets(*pair_files(cfg.pairs, cfg.pairs_root), lambda: instantiate(cfg.detector)),
        **{key: cfg[key] for key in ("far", "resamples", "seed")},
        **rates,
        cache=cache,
        batch_size=cfg.data.batch_size,
    )
    results = comparison.results
    for name, model in models.items():
        results["models"][name] |= _about(model, images, cfg.split)
        results["models"][name]["by_face"] = _by_face(cfg, model, (images, crops), models[results["best"]])
    replace_json(out / "metrics.json", results, allow_nan=False)
    write_comparison(out / "comparison.html", comparison)
    show_comparison(results, out / "comparison.html")
    with wandb_finished():
        for logger in loggers_of(cfg, out):
            for name, figures in results["systems"].items():
                logger.log_metrics({f"{name}/{key}": figure["value"] for key, figure in figures.items()})


def _about(model: "Model", images: "FaceImages", split: str) -> Mapping[str, Any]:
    """What is known of a model, and how many of the people it was trained on, by their names."""
    from facerec.models.sources import describe_source
    from facerec.models.training_people import training_people

    source = describe_source(model)
    return {
        "model": str(model.path),
        "fingerprint": model.fingerprint,
        "licence": source["licence"],
        "trained_on": source["trained_on"],
        "teachers": sorted({teacher["name"] for teacher in model.teachers.values()}),
        "shared_identities": training_people(model.statistics).shared_with(images, "val", split),
        "megabytes": model.size / 1e6,
    }


def _by_face(
    cfg: DictConfig, model: "Model", measured: "tuple[FaceImages, DatasetCrops]", judge: "Model"
) -> list[Mapping[str, Any]] | None:
    """Who of these people is among those that a model was trained on; None: it is not known, or was not asked."""
    from facerec.data import dataset_crops
    from facerec.study.members import trained_on
    from facerec.study.overlap import shared_by_face

    node = trained_on(model) if cfg.by_face else None
    if node is None:
        return None
    cache = Path(cfg.data.cache_dir)
    images = instantiate(node, _convert_="all", _recursive_=False)
    trained = images, dataset_crops(images, cache, cfg.data.decode_workers, cache=cfg.data.cache)
    settings: dict[str, Any] = {"cache": cache, "batch_size": cfg.data.batch_size}
    shared = shared_by_face(measured, trained, judge, split=cfg.split, expected=1, **settings)
    return [person._asdict() for person in shared]


if __name__ == "__main__":
    run_job("compare", compare)
