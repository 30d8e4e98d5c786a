"""What every job shares: its configuration, its command line, and errors as messages instead of tracebacks."""

from omegaconf import OmegaConf

from facerec.job.failures import going_on, machine_errors, wandb_finished
from facerec.job.keys import CONFIG_DIR, first_given, groups_help
from facerec.job.loggers import loggers_of
from facerec.job.places import user_cache, user_data
from facerec.job.recipes import recipes_of
from facerec.job.relaunch import relaunched_as_run
from facerec.job.run import run_job
from facerec.job.sweep_jobs import SweepSummary, resolve_job_name
from facerec.study.layout import ensemble_dir, evaluation_dir, sweep_dir

__all__ = [
    "CONFIG_DIR",
    "SweepSummary",
    "going_on",
    "loggers_of",
    "machine_errors",
    "recipes_of",
    "relaunched_as_run",
    "run_job",
    "wandb_finished",
]

OmegaConf.register_new_resolver("job_name", resolve_job_name, replace=True)
OmegaConf.register_new_resolver("sweep_dir", sweep_dir, replace=True)
OmegaConf.register_new_resolver("ensemble_dir", ensemble_dir, replace=True)
OmegaConf.register_new_resolver("evaluation_dir", evaluation_dir, replace=True)
OmegaConf.register_new_resolver("first", first_given, replace=True)
OmegaConf.register_new_resolver("groups_help", groups_help, replace=True)
OmegaConf.register_new_resolver("user_cache", user_cache, replace=True)
OmegaConf.register_new_resolver("user_data", user_data, replace=True)
