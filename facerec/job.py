"""What every job shares: where its configuration lies, and errors as one message instead of a traceback."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from facerec.errors import ConfigError, FacerecError
from facerec.sweep import job_name

log = logging.getLogger(__name__)

# beside the package in a checkout, inside it in an installed wheel
_PACKAGE = Path(__file__).parent
CONFIG_DIR = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())

OmegaConf.register_new_resolver("job_name", job_name, replace=True)


def run_job(config_name: str, task: Callable[[DictConfig], Any]) -> None:
    """Compose `conf/CONFIG_NAME.yaml` with the command line and run the task under Hydra.

    Errors a user can mend end the process with their status, which is 1 unless their class says otherwise, and
    their message, which also goes to the run's log; HYDRA_FULL_ERROR=1 shows their traceback. Any other error
    keeps its traceback.
    """

    def checked(cfg: DictConfig) -> Any:
        _refuse_unknown(cfg, CONFIG_DIR / f"{config_name}.yaml")
        return task(cfg)

    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra would print and exit before we see the error
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(checked)()
    except (FacerecError, HydraException, OmegaConfBaseException) as error:
        if before == "1":
            raise
        cause = _cause(error)
        log.error("%s", cause)
        sys.exit(cause.status if isinstance(cause, FacerecError) else 1)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = before or "0"


@contextmanager
def wandb_finished() -> Iterator[None]:
    """Whatever happens inside, the W&B run that it may have started ends with it, so that jobs never share one."""
    try:
        yield
    finally:
        if "wandb" in sys.modules:
            sys.modules["wandb"].finish(exit_code=1 if sys.exc_info()[0] else 0)


def _refuse_unknown(cfg: DictConfig, primary: Path) -> None:
    """Hydra refuses unknown keys unless they are given with a plus, and then nobody would read them."""
    known = _declared(primary)
    if unknown := sorted({str(key) for key in cfg} - known):
        raise ConfigError(f"{', '.join(unknown)}: no such key; there are {', '.join(sorted(known))}")


def _declared(primary: Path) -> set[str]:
    """The groups and keys of a job's configuration, and of those it builds on."""
    content = OmegaConf.load(primary)
    assert isinstance(content, DictConfig)
    known = {str(key) for key in content} - {"defaults", "hydra"}
    for entry in content.defaults:
        if isinstance(entry, DictConfig):
            known |= {str(key) for key in entry}
        elif entry != "_self_":
            known |= _declared(primary.with_name(f"{entry}.yaml"))
    return known


def _cause(error: BaseException) -> BaseException:
    """The error of ours that Hydra wrapped while it built an object, or else the error itself."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, FacerecError):
            return inner
        inner = inner.__cause__
    return error
