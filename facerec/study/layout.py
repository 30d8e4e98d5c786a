"""Where results lie."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf


def evaluation_dir(*, _root_: DictConfig) -> str:
    """Folder of an evaluation, registered as the resolver `${evaluation_dir:}`.

    That of a study lies in it, that of a run beside its model, that of any other in `outputs/evaluation/NAME`; on
    another data set than the model's own in a folder of that data set's name in there.
    """
    study = Path("outputs") / str(_root_.study)
    model = Path(str(_root_.model))
    if model == study / "ensemble" / "model":
        return str(study / "evaluation")
    model = (model / "model" if (model / "model").is_dir() else model).resolve()
    if model.name == "model" and model.is_dir():
        folder = model.parent / "evaluation"
    else:
        folder = Path("outputs/evaluation") / (model.stem if model.is_file() else model.name)
    return str(folder / _dataset_name(_root_))


def _dataset_name(cfg: DictConfig) -> str:
    if cfg.get("dataset") is None:
        return ""
    name = str(cfg.hydra.runtime.choices.dataset)
    root = OmegaConf.select(cfg, "dataset.root", throw_on_missing=False)
    return Path(str(root)).expanduser().resolve().name if name == "folder" and root else name
