"""What every job shares: where its configuration lies, and errors as one message instead of a traceback."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from facerec.errors import ConfigError, FacerecError, MachineError
from facerec.os_errors import describe
from facerec.sweep import job_name

log = logging.getLogger(__name__)

# beside the package in a checkout, inside it in an installed wheel
_PACKAGE = Path(__file__).parent
CONFIG_DIR = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())

OmegaConf.register_new_resolver("job_name", job_name, replace=True)


def run_job(config_name: str, task: Callable[[DictConfig], Any]) -> None:
    """Compose `conf/CONFIG_NAME.yaml` with the command line and run the task under Hydra.

    Errors a user can mend end the process with status 1 and their message, which also goes to the run's
    log; an interrupt ends it with status 130 and what to do next. HYDRA_FULL_ERROR=1 shows their traceback. Any
    other error keeps its traceback.
    """

    def checked(cfg: DictConfig) -> Any:
        _refuse_unknown(cfg, CONFIG_DIR / f"{config_name}.yaml")
        with machine_errors(cfg):
            return task(cfg)

    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra would print and exit before we see the error
    logging.raiseExceptions = before == "1"  # a log on a full disk has nothing to add to the message
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(checked)()
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except (FacerecError, HydraException, OmegaConfBaseException, OSError) as error:
        if before == "1":
            raise
        log.error("%s", _message(error))
        sys.exit(1)
    except KeyboardInterrupt as stop:
        if before == "1":
            raise
        logging.basicConfig(format="%(message)s", level=logging.INFO)  # if it came before Hydra's own
        log.info("interrupted; %s", _notes(stop) or "the same command goes on, or starts again")
        sys.exit(128 + signal.SIGINT)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = before or "0"
        logging.raiseExceptions = True


@contextmanager
def machine_errors(cfg: DictConfig) -> Iterator[None]:
    """Errors of the operating system as one of ours, which says what is wrong where and which key leads there."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MachineError("\n".join([describe(error, _places(cfg)), *_notes(error).splitlines()])) from error


@contextmanager
def going_on(how: Callable[[], str]) -> Iterator[None]:
    """Let an interrupt, or a full disk, say what is finished and how to go on."""
    try:
        yield
    except (KeyboardInterrupt, OSError) as stop:
        stop.add_note(how())
        raise


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


def _message(error: BaseException) -> str:
    """What to tell of the error; of the one that Hydra wrapped while it built an object, if it is one for users."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, FacerecError):
            return str(inner)
        if isinstance(inner, OSError):
            # one that came before or after the job is about the folder that Hydra makes for it
            key = "hydra.sweep.dir" if {"-m", "--multirun"} & set(sys.argv) else "hydra.run.dir"
            return describe(inner, {key: "/"})
        inner = inner.__cause__
    return str(error)


def _notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", []))


def _places(cfg: DictConfig) -> Mapping[str, str]:
    """Key → path, for all that could be one."""
    run = "hydra.run.dir" if HydraConfig.get().mode == RunMode.RUN else "hydra.sweep.dir"
    places = {run: HydraConfig.get().runtime.output_dir}
    with suppress(OmegaConfBaseException):
        leaves: list[tuple[str, Any]] = [("", OmegaConf.to_container(cfg, resolve=True))]
        while leaves:
            key, value = leaves.pop()
            if isinstance(value, dict):
                leaves += [(f"{key}.{name}" if key else str(name), inner) for name, inner in value.items()]
            elif isinstance(value, str):
                places[key] = value
    return places
