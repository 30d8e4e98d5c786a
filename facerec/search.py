"""Search for hyperparameters with Optuna: `python -m facerec.search backbone=resnet34 study=orl`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict
from rich.console import Console
from rich.table import Table

from facerec.errors import ConfigError, FacerecError, MachineError
from facerec.job import machine_errors, run_job
from facerec.study.best import objective, write_best
from facerec.study.job_names import job_inputs
from facerec.train import train

if TYPE_CHECKING:
    import optuna
    from pytorch_lightning import Callback

log = logging.getLogger(__name__)


def search(cfg: DictConfig) -> None:
    """Train trial after trial, each a run folder like a sweep's, until there are `hparams_search.n_trials`."""
    from optuna.trial import TrialState

    folder = Path(HydraConfig.get().runtime.output_dir)
    plan = cfg.hparams_search
    try:
        with FileLock(folder / "search.lock", timeout=0):
            study = open_study(folder, instantiate(plan.pruner))
            study.sampler = instantiate(plan.sampler)(seed=cfg.seed + len(study.trials))
            for trial in study.get_trials(states=[TrialState.RUNNING]):  # its process was killed
                study.tell(trial.number, state=TrialState.FAIL)
                study.enqueue_trial(trial.params)
            space = {str(key): instantiate(value, _convert_="all") for key, value in plan.space.items()}
            ended = len(study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED]))
            # trials are jobs of a multirun: a folder each, W&B runs of one group, gone on with if stopped
            job = HydraConfig.get()
            given = [*job.overrides.task, "hydra.mode=MULTIRUN", f"hydra.sweep.dir={job.run.dir}"]
            problems = [_run_trial(study, space, given, folder) for _ in range(ended, plan.n_trials)]
            _show(study, folder)
    except Timeout as error:
        raise ConfigError(f"{folder}: another search is at work there; wait for it") from error
    images = instantiate(cfg.dataset, _convert_="all")
    write_best(folder, job_inputs(cfg, images), images)
    if failed := [problem for problem in problems if problem]:
        listed = "".join(f"\n  {problem}" for problem in failed)
        raise FacerecError(f"{len(failed)} trials failed; the same command tries others in their place:{listed}")


def open_study(folder: Path, pruner: "optuna.pruners.BasePruner | None" = None) -> "optuna.Study":
    """The search whose trials lie in `folder`; a new one if there is none."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "search.journal")))
    return optuna.create_study(
        study_name="search", storage=storage, pruner=pruner, direction="maximize", load_if_exists=True
    )


def _run_trial(study: "optuna.Study", space: dict[str, Any], given: list[str], folder: Path) -> str:
    """Train with the next values; returns what went wrong."""
    import optuna
    from optuna.trial import TrialState

    trial = study.ask(space)
    tried = [f"{key}={value}" for key, value in trial.params.items()]
    log.info("trial %d: %s", trial.number, " ".join(tried))
    cfg = compose("search", [*given, *tried], return_hydra_config=True)
    run = folder / cfg.hydra.sweep.subdir
    run.mkdir(exist_ok=True)
    trial.set_user_attr("job", run.name)
    with open_dict(cfg):
        cfg.hydra.runtime.output_dir = str(run)
        HydraConfig.instance().set_config(cfg)
        del cfg["hydra"], cfg["hparams_search"]
    try:
        with machine_errors(cfg):
            study.tell(trial, train(cfg, [_pruning(trial)]))
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except MachineError:  # of the others no one would fare better
        raise
    except Exception as error:
        expected = isinstance(error, FacerecError)
        log.error("%s", error, exc_info=None if expected else error)
        study.tell(trial, state=TrialState.FAIL)
        return f"{run.name}: {error if expected else repr(error)}"
    return ""


def _pruning(trial: "optuna.Trial") -> "Callback":
    import optuna
    from pytorch_lightning.callbacks import LambdaCallback

    def report(trainer: Any, learner: Any) -> None:
        trial.report(trainer.callback_metrics[objective(learner.images)].item(), trainer.current_epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return LambdaCallback(on_validation_end=report)


def _show(study: "optuna.Study", folder: Path) -> None:
    table = Table("trial", "job", "state", "objective", title=f"Trials under {folder}", title_justify="left")
    for trial in study.trials:
        value = "-" if trial.value is None else f"{trial.value:.4f}"
        table.add_row(str(trial.number), trial.user_attrs.get("job", "-"), trial.state.name.lower(), value)
    Console(width=110, markup=False, emoji=False).print(table)


if __name__ == "__main__":
    run_job("search", search)
