"""What every job shares: where its configuration lies, and errors as one message instead of a traceback."""

import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from facerec.errors import ConfigError, FacerecError
from facerec.sweep import job_name

log = logging.getLogger(__name__)

# beside the package in a checkout, inside it in an installed wheel
_PACKAGE = Path(__file__).parent
CONFIG_DIR = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())

OmegaConf.register_new_resolver("job_name", job_name, replace=True)

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
    their message, which also goes to the run's log; HYDRA_FULL_ERROR=1 shows their traceback. Any other error
    keeps its traceback.
    """

    def checked(cfg: DictConfig) -> Any:
        _check_keys(cfg, CONFIG_DIR / f"{config_name}.yaml")
        return task(cfg)

    multirun = not {"-m", "--multirun"}.isdisjoint(sys.argv)
    sys.argv[1:] = [literal(argument, multirun) for argument in sys.argv[1:]]
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra would print and exit before we see the error
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(checked)()
    except (FacerecError, HydraException, OmegaConfBaseException) as error:
        if before == "1":
            raise
        log.error("%s", _explained(error))
        cause = _cause(error)
        sys.exit(cause.status if isinstance(cause, FacerecError) else 1)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = before or "0"


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


@contextmanager
def wandb_finished() -> Iterator[None]:
    """Whatever happens inside, the W&B run that it may have started ends with it, so that jobs never share one."""
    try:
        yield
    finally:
        if "wandb" in sys.modules:
            sys.modules["wandb"].finish(exit_code=1 if sys.exc_info()[0] else 0)


def _check_keys(cfg: DictConfig, primary: Path) -> None:
    """Refuse keys that nobody reads, which Hydra accepts with a plus, and needed groups that are switched off."""
    known = _declared(primary)
    if unknown := sorted({str(key) for key in cfg} - known.keys()):
        raise ConfigError(f"{', '.join(unknown)}: no such key; there are {', '.join(sorted(known))}")
    for group in (key for key, default in known.items() if default is not None and key not in cfg):
        if group not in _OPTIONAL:
            choices = sorted(file.stem for file in (CONFIG_DIR / group).glob("*.yaml"))
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


def _explained(error: BaseException) -> str:
    if not isinstance(error, OverrideParseException):
        return str(_cause(error))
    key, equals, value = error.override.partition("=")
    if not equals:
        return f"{error.override}: an argument must be KEY=VALUE; --help lists the keys"
    spelling = shlex.quote(f"{key}={QuotedString(value, Quote.double).with_quotes()}")
    return f"{error.override}: the value can't be read; if it is a text, quote it: {spelling}"


def _cause(error: BaseException) -> BaseException:
    """The error of ours that Hydra wrapped while it built an object, or else the error itself."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, FacerecError):
            return inner
        inner = inner.__cause__
    return error
