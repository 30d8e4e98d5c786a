"""What every job shares: where its configuration lies, and errors as one message instead of a traceback."""

import logging
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from facerec.errors import ConfigError, FacerecError, MachineError
from facerec.runtime.os_errors import describe
from facerec.study.layout import ensemble_dir, evaluation_dir, sweep_dir
from facerec.sweep_jobs import resolve_job_name

log = logging.getLogger(__name__)

# beside the package in a checkout, inside it in an installed wheel
_PACKAGE = Path(__file__).parent
CONFIG_DIR = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())

OmegaConf.register_new_resolver("job_name", resolve_job_name, replace=True)
OmegaConf.register_new_resolver("sweep_dir", sweep_dir, replace=True)
OmegaConf.register_new_resolver("ensemble_dir", ensemble_dir, replace=True)
OmegaConf.register_new_resolver("evaluation_dir", evaluation_dir, replace=True)

_OPTIONAL = {"callbacks", "logger"}  # groups that `GROUP=null` switches off
_NAMES = {"person", "name", "to", "note"}
_PATHS = {
    *("attributes", "cache_dir", "ckpt_path", "data.cache_dir", "dataset.root", "file", "gallery.read_url"),
    *("gallery.url", "hydra.run.dir", "hydra.sweep.dir", "init_from", "key_file", "lfw.root", "model", "out"),
    *("photos", "study"),
}


def run_job(config_name: str, task: Callable[[DictConfig], Any]) -> None:
    """Compose `conf/CONFIG_NAME.yaml` with the command line and run the task under Hydra.

    Errors a user can mend end the process with their status, which is 1 unless their class says otherwise, and
    their message, which also goes to the run's log; an interrupt ends it with status 130 and what to do next.
    HYDRA_FULL_ERROR=1 shows their traceback. Any other error keeps its traceback.
    """

    def checked(cfg: DictConfig) -> Any:
        _check_keys(cfg, CONFIG_DIR / f"{config_name}.yaml")
        with machine_errors(cfg):
            return task(cfg)

    multirun = not {"-m", "--multirun"}.isdisjoint(sys.argv)
    sys.argv[1:] = [literal(argument, multirun) for argument in sys.argv[1:]]
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
        sys.exit(next((cause.status for cause in _causes(error) if isinstance(cause, FacerecError)), 1))
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


def literal(argument: str, multirun: bool = False) -> str:
    """Rewrite an argument of the command line so that Hydra's grammar takes it as it is meant.

    Values of names and notes are always quoted. Those of paths are, unless they are `null` or begin with a quote,
    `[`, `{` or `$`; with commas they are a sweep under `--multirun`. `GROUP=null` becomes `~GROUP`.
    """
    key, equals, value = argument.partition("=")
    if value == "null" and (CONFIG_DIR / key).is_dir():
        return f"~{key}"
    key = key.lstrip("+")
    if not equals or key not in _NAMES | _PATHS:
        return argument
    if key in _NAMES:
        value = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)  # no interpolation of OmegaConf's
    elif value in ("", "null") or value[0] in "'\"[{$" or (multirun and "," in value):
        return argument
    return argument[: argument.index("=") + 1] + QuotedString(value, Quote.single).with_quotes()


def recipes_of(study: str) -> list[str]:
    """The recipes of a study, by name; without a name the studies that there are."""
    loader = GlobalHydra.instance().config_loader()
    if study:
        return list(loader.get_group_options(f"experiment/{study}"))
    return list(loader.get_group_options("experiment", ObjectType.GROUP))


@contextmanager
def wandb_finished() -> Iterator[None]:
    """Whatever happens inside, the W&B run that it may have started ends with it, so that jobs never share one."""
    os.environ.setdefault("WANDB_QUIET", "true")  # a job ends with our table, not with W&B's summary
    try:
        yield
    finally:
        if "wandb" in sys.modules:
            sys.modules["wandb"].finish(exit_code=1 if sys.exc_info()[0] else 0)


@contextmanager
def relaunched_as_run(cfg: DictConfig, run: Path) -> Iterator[None]:
    """Let a job of a sweep look like a run of its own to Lightning, which starts this job's other processes.

    It gives them the command line of this process and the run folder that Hydra knows: those of the whole sweep.
    """
    from facerec.distributed.relaunch import relaunch_command  # imports torch

    hydra_config: Any = HydraConfig.get()
    if hydra_config.mode != RunMode.MULTIRUN:
        yield
        return
    sweep_run_dir = hydra_config.run.dir
    resume = [] if cfg.ckpt_path is None else [f"ckpt_path='{cfg.ckpt_path}'"]
    with read_write(hydra_config), open_dict(hydra_config):
        hydra_config.run.dir = str(run)
    try:
        with relaunch_command([*hydra_config.overrides.task, *resume]):
            yield
    finally:
        with read_write(hydra_config), open_dict(hydra_config):
            hydra_config.run.dir = sweep_run_dir


def _check_keys(cfg: DictConfig, primary: Path) -> None:
    """Refuse keys that nobody reads, which Hydra accepts with a plus, and needed groups that are switched off."""
    known = _declared(primary)
    if unknown := sorted({str(key) for key in cfg} - known.keys()):
        raise ConfigError(f"{', '.join(unknown)}: no such key; there are {', '.join(sorted(known))}")
    for group in (key for key, default in known.items() if default is not None and key not in cfg):
        if group not in _OPTIONAL:
            choices = sorted(file.stem for file in (CONFIG_DIR / group).glob("[!_]*.yaml"))
            raise ConfigError(f"{group}: is needed; give one of {', '.join(choices)}")
        with open_dict(cfg):
            cfg[group] = None


def _declared(primary: Path) -> dict[str, Any]:
    """The groups and keys of a job's configuration, and of those it builds on, with their defaults."""
    content = OmegaConf.load(primary)
    assert isinstance(content, DictConfig)
    known: dict[str, Any] = {str(key): None for key in content if key not in ("defaults", "hydra")}
    for entry in content.defaults:
        if isinstance(entry, DictConfig):
            known |= {str(key): choice for key, choice in entry.items() if " " not in str(key)}
        elif entry != "_self_":
            known |= _declared(primary.with_name(f"{entry}.yaml"))
    return known


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that Hydra wrapped in it while it built an object."""
    while error is not None:
        yield error
        error = error.__cause__


def _message(error: BaseException) -> str:
    """What to tell of the error; of one of ours or of the system's that lies inside it, if there is one."""
    if isinstance(error, OverrideParseException):
        key, equals, value = error.override.partition("=")
        if not equals:
            return f"{error.override}: an argument must be KEY=VALUE; --help lists the keys"
        spelling = shlex.quote(f"{key}={QuotedString(value, Quote.double).with_quotes()}")
        return f"{error.override}: the value can't be read; if it is a text, quote it: {spelling}"
    for cause in _causes(error):
        if isinstance(cause, FacerecError):
            return str(cause)
        if isinstance(cause, OSError):
            # one that came before or after the job is about the folder that Hydra makes for it
            key = "hydra.sweep.dir" if {"-m", "--multirun"} & set(sys.argv) else "hydra.run.dir"
            return describe(cause, {key: "/"})
    return str(error)


def _notes(error: BaseException) -> str:
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
