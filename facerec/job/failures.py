"""Errors and interrupts as a message that says what to do, instead of a traceback."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from facerec.errors import FacerecError, MachineError
from facerec.job.extras import extra_of
from facerec.job.keys import choices
from facerec.runtime.os_errors import describe


@contextmanager
def machine_errors(cfg: DictConfig) -> Iterator[None]:
    """What the machine refuses or lacks as one of our errors, which names the key or the extra that matters."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MachineError("\n".join([describe(error, _places(cfg)), *notes(error).splitlines()])) from error
    except Exception as error:  # Hydra wraps what it meets while it builds an object
        if (module := _missing_module(error)) and (extra := extra_of(module)):
            package = module.partition(".")[0]
            raise MachineError(f"{package} is not installed: pip install 'facerec[{extra}]'") from error
        raise


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
    os.environ.setdefault("WANDB_QUIET", "true")  # a job ends with our table, not with W&B's summary
    try:
        yield
    finally:
        if "wandb" in sys.modules:
            sys.modules["wandb"].finish(exit_code=1 if sys.exc_info()[0] else 0)


def message(error: BaseException) -> str:
    """What to tell of the error; of one of ours or of the system's that lies inside it, if there is one."""
    if isinstance(error, OverrideParseException):
        key, equals, value = error.override.partition("=")
        if not equals:
            return f"{error.override}: an argument must be KEY=VALUE; --help lists the keys"
        if value.startswith("[") and value.endswith("]"):
            texts = [QuotedString(text.strip(), Quote.single).with_quotes() for text in value[1:-1].split(",")]
            spelling = shlex.quote(f"{key}=[{','.join(texts)}]")
            return f"{error.override}: the list can't be read; quote the texts in it: {spelling}"
        spelling = shlex.quote(f"{key}={QuotedString(value, Quote.double).with_quotes()}")
        return f"{error.override}: the value can't be read; if it is a text, quote it: {spelling}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, choice = re.split(r"(?<!hydra)/", f"{error.missing_cfg_file}/", maxsplit=1)
        choice = choice.rstrip("/")
        launcher = f"hydra_{choice.partition('_')[0]}_launcher"  # the plugin that brings this choice
        if group == "hydra/launcher" and (extra := extra_of(launcher)):
            return f"{group}: the plugin {choice} is not installed: pip install 'facerec[{extra}]'"
        return f"{group}={choice}: there is none; give one of {', '.join(choices(group) or error.options or [])}"
    if isinstance(error, ConfigCompositionException):
        return str(error).partition("\nTo append")[0]  # a key that we have not is refused with a plus, too
    for cause in causes(error):
        if isinstance(cause, FacerecError):
            return str(cause)
        if isinstance(cause, OSError):
            # one that came before or after the job is about the folder that Hydra makes for it
            key = "hydra.sweep.dir" if {"-m", "--multirun"} & set(sys.argv) else "hydra.run.dir"
            return describe(cause, {key: "/"})
    if isinstance(error, OmegaConfBaseException):
        reason = str(error).partition("\n")[0]  # then come its key and type, a line each
        _, is_missing, key = reason.rpartition("Missing mandatory value: ")
        return f"{key}: must be given, as in {key}=…" if is_missing else f"{error.full_key}: {reason}"
    return str(error)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that Hydra wrapped in it while it built an object."""
    while error is not None:
        yield error
        error = error.__cause__


def _missing_module(error: BaseException) -> str | None:
    """The module that is not installed, unless one of our errors explains that already."""
    for cause in causes(error):
        if isinstance(cause, FacerecError):
            return None
        if isinstance(cause, ModuleNotFoundError):
            return cause.name
    return None


def notes(error: BaseException) -> str:
    """What was added to the error for whoever reads it."""
    return "\n".join(getattr(error, "__notes__", []))


def _places(cfg: DictConfig) -> Mapping[str, str]:
    """Key → value of all that could be paths, without those that follow from the run's folder."""
    run = "hydra.run.dir" if HydraConfig.get().mode == RunMode.RUN else "hydra.sweep.dir"
    places = {run: HydraConfig.get().runtime.output_dir}
    with suppress(OmegaConfBaseException):
        leaves: list[tuple[str, Any]] = [("", OmegaConf.to_container(cfg))]
        while leaves:
            key, value = leaves.pop()
            if isinstance(value, dict):
                leaves += [(f"{key}.{name}" if key else str(name), inner) for name, inner in value.items()]
            elif isinstance(value, str) and "${hydra:" not in value:
                places[key] = str(OmegaConf.select(cfg, key))
    return places
