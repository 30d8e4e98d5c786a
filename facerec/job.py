"""What every job shares: where its configuration lies, and errors as one message instead of a traceback."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from facerec.errors import ConfigError, FacerecError

log = logging.getLogger(__name__)

# beside the package in a checkout, inside it in an installed wheel
_PACKAGE = Path(__file__).parent
CONFIG_DIR = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())


def run_job(config_name: str, task: Callable[[DictConfig], None]) -> None:
    """Compose `conf/CONFIG_NAME.yaml` with the command line and run the task under Hydra.

    Errors a user can mend end the process with status 1 and their message, which also goes to the run's
    log; HYDRA_FULL_ERROR=1 shows their traceback. Any other error keeps its traceback.
    """

    def checked(cfg: DictConfig) -> None:
        _refuse_unknown(cfg, CONFIG_DIR / f"{config_name}.yaml")
        task(cfg)

    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra would print and exit before we see the error
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(checked)()
    except (FacerecError, HydraException, OmegaConfBaseException) as error:
        if before == "1":
            raise
        log.error("%s", _cause(error))
        sys.exit(1)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = before or "0"


def _refuse_unknown(cfg: DictConfig, primary: Path) -> None:
    """Hydra refuses unknown keys unless they are given with a plus, and then nobody would read them."""
    declared = OmegaConf.load(primary)
    assert isinstance(declared, DictConfig)
    groups = {str(key) for entry in declared["defaults"] if isinstance(entry, DictConfig) for key in entry}
    known = groups | {str(key) for key in declared} - {"defaults", "hydra"}
    if unknown := sorted({str(key) for key in cfg} - known):
        raise ConfigError(f"{', '.join(unknown)}: no such key; there are {', '.join(sorted(known))}")


def _cause(error: BaseException) -> BaseException:
    """The error of ours that Hydra wrapped while it built an object, or else the error itself."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, FacerecError):
            return inner
        inner = inner.__cause__
    return error
