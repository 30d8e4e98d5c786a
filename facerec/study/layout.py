"""Where a study's results lie: `OUTPUTS/STUDY/MEMBER/JOB`, `…/ensemble` and `…/evaluation`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facerec.data.table import table_name

ENSEMBLE, EVALUATION = "ensemble", "evaluation"


def study_dir(cfg: DictConfig) -> Path:
    """Folder of the configuration's study."""
    return Path(str(OmegaConf.select(cfg, "paths.outputs", default="outputs"))) / str(cfg.study)


def sweep_dir(when: str, *, _root_: DictConfig) -> str:
    """Folder of a sweep, registered as the resolver `${sweep_dir:WHEN}`; that of a recipe lies in its study."""
    recipe = _choice(_root_, "experiment")
    return str(
        study_dir(_root_) / recipe.rpartition("/")[2] if recipe else study_dir(_root_).with_name("sweep") / when
    )


def ensemble_dir(*, _root_: DictConfig) -> str:
    """Folder of a study's ensemble, registered as the resolver `${ensemble_dir:}`."""
    return str(study_dir(_root_) / ENSEMBLE)


def evaluation_dir(*, _root_: DictConfig) -> str:
    """Folder of an evaluation, registered as the resolver `${evaluation_dir:}`.

    That of a study lies in it, that of a run beside its model, that of any other in `OUTPUTS/evaluation/NAME`; on
    another data set than the model's own in a folder of that data set's name in there.
    """
    study, model = study_dir(_root_), Path(str(_root_.model))
    if model == study / ENSEMBLE / "model":
        return str(study / EVALUATION)
    model = model_dir(model).resolve()
    if model.name == "model" and model.is_dir():
        folder = model.parent / EVALUATION
    else:
        folder = study.with_name(EVALUATION) / (model.stem if model.is_file() else model.name)
    return str(folder / _dataset_name(_root_))


def model_dir(path: Path) -> Path:
    """The model folder of a training run; any other path is that of a model already."""
    return path / "model" if (path / "model").is_dir() else path


def member_names(recipes: Iterable[str]) -> list[str]:
    """The members among the recipes of a study."""
    return sorted(name for name in recipes if name not in (ENSEMBLE, EVALUATION) and not name.startswith("_"))


def _dataset_name(cfg: DictConfig) -> str:
    if cfg.get("dataset") is None:
        return ""
    name = _choice(cfg, "dataset")
    key = {"folder": "root", "recordio": "root", "table": "file"}.get(name)
    given = OmegaConf.select(cfg, f"dataset.{key}", throw_on_missing=False) if key else None
    if not given:
        return name
    first = Path(str(given if isinstance(given, str) else given[0])).expanduser().resolve()
    return table_name([first]) if name == "table" else first.name


def _choice(cfg: DictConfig, group: str) -> str:
    choice: Any = cfg.hydra.runtime.choices.get(group)
    return str(choice or "")
