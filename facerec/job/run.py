"""Compose a job's configuration and run it."""

import io
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from facerec.errors import FacerecError
from facerec.job.arguments import arguments
from facerec.job.failures import causes, machine_errors, message, notes
from facerec.job.keys import CONFIG_DIR, check_keys
from facerec.job.tree import print_tree

log = logging.getLogger(__name__)


def run_job(config_name: str, task: Callable[[DictConfig], Any]) -> None:
    """Compose `conf/CONFIG_NAME.yaml` with the command line and run the task under Hydra.

    Errors a user can mend end the process with their status, which is 1 unless their class says otherwise, and
    their message, which also goes to the run's log; an interrupt ends it with status 130 and what to do next.
    HYDRA_FULL_ERROR=1 shows their traceback. Any other error keeps its traceback.
    """

    def checked(cfg: DictConfig) -> Any:
        check_keys(cfg, CONFIG_DIR / f"{config_name}.yaml")
        if cfg.print_config:
            print_tree(cfg)
        with machine_errors(cfg):
            return task(cfg)

    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra would print and exit before we see the error
    logging.raiseExceptions = before == "1"  # a log on a full disk has nothing to add to the message
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: no name ends a job where a terminal lacks it
    try:
        sys.argv[1:] = arguments(sys.argv[1:])
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(checked)()
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)  # 128 + SIGPIPE, which Windows has not
    except (FacerecError, HydraException, OmegaConfBaseException, OSError) as error:
        if before == "1":
            raise
        log.error("%s", message(error))
        sys.exit(next((cause.status for cause in causes(error) if isinstance(cause, FacerecError)), 1))
    except KeyboardInterrupt as stop:
        if before == "1":
            raise
        logging.basicConfig(format="%(message)s", level=logging.INFO)  # if it came before Hydra's own
        log.info("interrupted; %s", notes(stop) or "the same command goes on, or starts again")
        sys.exit(128 + signal.SIGINT)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = before or "0"
        logging.raiseExceptions = True
